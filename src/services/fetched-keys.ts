import { AppError } from '../errors';
import { describeError, type Logger } from '../observability/logger';
import { isKid, parseKeySet } from './jwk-set';
import { readTokenHeader, type TokenKey, type TokenKeys } from './token-keys';

/** The keys of an issuer who publishes them. */
export interface FetchedKeys extends TokenKeys {
  close(): void;
}

export interface FetchedKeysOptions {
  /** the JWK set as parsed JSON; bounded in time and size by whoever fetches */
  readonly fetchKeySet: (signal: AbortSignal) => Promise<unknown>;
  readonly logger: Logger;
  /** a key is gone: what was verified with it must be verified anew */
  readonly onRemoval: () => void;
  /** milliseconds since 1970 */
  readonly now: () => number;
}

/** Whatever arrives, the issuer is asked once in this time. */
const COOL_DOWN_MS = 30_000;
/** A key that the issuer revokes is accepted no longer than this, while the issuer answers. */
const REFRESH_MS = 5 * 60_000;
/** And no longer than this while it does not: who can keep us from the issuer must not keep a key alive. */
const MAX_AGE_MS = 24 * 60 * 60_000;

/** What a token asks for. */
interface Wanted {
  readonly algorithm: string;
  readonly kid: string | undefined;
}

/**
 * Keys fetched from their issuer: at once, every 5 minutes, and when a token names a key that is not
 * known. Those known stay in use while the issuer is away. Each process asks for itself.
 */
export function createFetchedKeys({
  fetchKeySet,
  logger,
  onRemoval,
  now,
}: FetchedKeysOptions): FetchedKeys {
  const closing = new AbortController();
  let known: { readonly keys: readonly TokenKey[]; readonly fetchedAtMs: number } | undefined;
  let isAway: boolean | undefined;
  let askedAtMs = -Infinity;
  let asking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const replace = (next: typeof known): void => {
    const before = known?.keys ?? [];
    const keys = next?.keys ?? [];
    known = next;
    if (before.some((key) => !has(keys, key))) onRemoval();
    if (keys.length !== before.length || keys.some((key) => !has(before, key))) {
      logger.info('keys of tokens', { keys: keys.length });
    }
  };

  const ask = async (): Promise<void> => {
    askedAtMs = now();
    try {
      replace({ keys: parseKeySet(await fetchKeySet(closing.signal)), fetchedAtMs: askedAtMs });
      if (isAway) logger.info('keys of tokens can be fetched again');
      isAway = false;
    } catch (error) {
      if (closing.signal.aborted) return;
      if (!isAway) logger.warn('keys of tokens cannot be fetched', { error: describeError(error) });
      isAway = true;
      if (known && now() - known.fetchedAtMs > MAX_AGE_MS) replace(undefined);
    }
  };

  const refresh = (): Promise<void> => {
    asking ??= ask().finally(() => {
      asking = undefined;
      clearTimeout(timer);
      if (closing.signal.aborted) return;
      timer = setTimeout(() => void refresh(), isAway ? COOL_DOWN_MS : REFRESH_MS).unref();
    });
    return asking;
  };

  void refresh();
  return {
    prepare(token) {
      const wanted = readWanted(token);
      if (!wanted || choose(known?.keys, wanted).length > 0) return undefined;
      const sinceMs = now() - askedAtMs;
      // a clock that was set back must not make this wait for it
      const isCoolingDown = sinceMs >= 0 && sinceMs < COOL_DOWN_MS;
      return asking ?? (isCoolingDown ? undefined : refresh());
    },
    candidates(token) {
      const wanted = readWanted(token);
      if (!wanted) return [];
      const keys = choose(known?.keys, wanted);
      if (keys.length > 0 || isAway === false) return keys;
      throw new AppError('keys_unavailable', 'The keys of tokens cannot be fetched now');
    },
    close() {
      closing.abort();
      clearTimeout(timer);
    },
  };
}

/** @returns undefined for tokens that no key of any issuer fits, so that nobody is asked about them */
function readWanted(token: string): Wanted | undefined {
  const header = readTokenHeader(token);
  if (header?.alg !== 'RS256' && header?.alg !== 'ES256') return undefined;
  if (header.kid !== undefined && !isKid(header.kid)) return undefined;
  return { algorithm: header.alg, kid: header.kid };
}

/** A token that names no key has it only where there is no choice. */
function choose(
  keys: readonly TokenKey[] | undefined,
  { algorithm, kid }: Wanted,
): readonly TokenKey[] {
  const fitting = (keys ?? []).filter((key) => key.algorithm === algorithm);
  if (kid !== undefined) return fitting.filter((key) => key.kid === kid);
  return fitting.length === 1 ? fitting : [];
}

function has(keys: readonly TokenKey[], { key, kid }: TokenKey): boolean {
  return keys.some((other) => other.kid === kid && other.key.equals(key));
}
