import { verify, JsonWebTokenError, type Jwt, type VerifyOptions } from 'jsonwebtoken';
import { AppError } from '../errors';
import { type Grant } from './playback';
import { type TokenKey, type TokenKeys } from './token-keys';
import { hasScope, readAllowedTracks } from './token-permissions';

/** Whom a valid token speaks for. */
export interface Principal {
  readonly subject: string;
  /** whoever shows a playback grant instead of a token may do what it says, no more */
  readonly grant?: Grant;
  /** undefined: every track */
  readonly mayOpen?: (trackId: string) => boolean;
}

export interface TokenVerifier {
  /**
   * A promise only where the key of the token has to be fetched first.
   *
   * @throws AppError `invalid_token` whose message says what is wrong, in the words of RFC 6750;
   *   `insufficient_scope` for a token that is valid and lacks the required scope; `keys_unavailable`
   */
  verify(token: string): Principal | Promise<Principal>;
}

/** A token that is valid now, and how long it goes on being so. */
export interface VerifiedToken {
  readonly principal: Principal;
  /** seconds since 1970, clock tolerance included; from then on it is refused */
  readonly refusedAtSeconds: number;
  /** entries of its claims that have to be kept */
  readonly trackCount?: number;
}

export interface TokenInspector {
  /** As of {@link TokenKeys}: to be awaited before `inspect`, where it is a promise. */
  prepare(token: string): Promise<void> | undefined;
  /** @throws AppError as {@link TokenVerifier.verify} */
  inspect(token: string): VerifiedToken;
}

export interface TokenVerifierOptions {
  readonly keys: TokenKeys;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** scope that every token must have */
  readonly requiredScope?: string | undefined;
  /** seconds since 1970 */
  readonly now?: () => number;
}

const CLOCK_TOLERANCE_SECONDS = 30;
const MAX_TOKEN_BYTES = 4_096;
const MAX_SUBJECT_LENGTH = 128;

type Options = VerifyOptions & { complete: true };

/** Verifies bearer tokens (RFC 7519) of one issuer. Key hints in a token's header are never followed. */
export function createTokenVerifier({
  keys,
  issuer,
  audience,
  requiredScope,
  now = () => Date.now() / 1000,
}: TokenVerifierOptions): TokenInspector {
  const options = (): Options => ({
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    clockTimestamp: now(),
    complete: true,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  });

  return {
    // what is too long is not even looked at
    prepare: (token) => (token.length > MAX_TOKEN_BYTES ? undefined : keys.prepare(token)),
    inspect(token) {
      if (token.length > MAX_TOKEN_BYTES) throw invalid('The token is too long');
      const jwt = verifyWithAny(token, keys.candidates(token), options());
      return toVerified(jwt, requiredScope);
    },
  };
}

/** The first key's error is the one to tell: it is the current key. */
function verifyWithAny(token: string, keys: readonly TokenKey[], options: Options): Jwt {
  let firstError: unknown;
  for (const { key, algorithm } of keys) {
    try {
      return verify(token, key, { ...options, algorithms: [algorithm] });
    } catch (error) {
      firstError ??= error;
      if (!isWrongSignature(error)) throw translate(error);
    }
  }
  throw translate(firstError);
}

function toVerified(
  { header, payload, signature }: Jwt,
  requiredScope: string | undefined,
): VerifiedToken {
  // the library decodes more than one text to the same bytes; tokens have one form
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature) {
    throw invalid('The token is not valid');
  }
  // an extension the issuer marked critical is one we would have to understand (RFC 7515 §4.1.11)
  if ('crit' in header) throw invalid('The token uses an extension that is not supported');
  if (typeof payload === 'string' || Array.isArray(payload))
    throw invalid('The token has no claims');
  if (typeof payload.exp !== 'number') throw invalid('The token has no expiry');
  const subject: unknown = payload.sub;
  if (typeof subject !== 'string' || subject === '' || subject.length > MAX_SUBJECT_LENGTH) {
    throw invalid(`The token needs a subject of 1 to ${MAX_SUBJECT_LENGTH} characters`);
  }
  const allowed = readAllowedTracks(payload);
  if (requiredScope !== undefined && !hasScope(payload, requiredScope)) {
    throw new AppError('insufficient_scope', 'The token lacks the scope that is needed here');
  }
  return {
    principal: { subject, ...(allowed ? { mayOpen: allowed.mayOpen } : {}) },
    refusedAtSeconds: payload.exp + CLOCK_TOLERANCE_SECONDS,
    ...(allowed ? { trackCount: allowed.count } : {}),
  };
}

function isWrongSignature(error: unknown): boolean {
  return error instanceof JsonWebTokenError && error.message === 'invalid signature';
}

function translate(error: unknown): AppError {
  const reason = error instanceof Error ? error.name : '';
  const message =
    reason === 'TokenExpiredError'
      ? 'The token has expired'
      : reason === 'NotBeforeError'
        ? 'The token is not valid yet'
        : 'The token is not valid';
  return invalid(message, error);
}

function invalid(message: string, cause?: unknown): AppError {
  return new AppError('invalid_token', message, { cause });
}
