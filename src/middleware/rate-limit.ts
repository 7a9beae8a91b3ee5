import { hash } from 'node:crypto';
import { isIP } from 'node:net';
import { type Request, type RequestHandler, type Response } from 'express';
import { ipKeyGenerator, rateLimit, type RateLimitInfo, type Store } from 'express-rate-limit';
import { LRUCache } from 'lru-cache';
import { AppError } from '../errors';
import { type Admissions } from '../services/admissions';
import { addressKey, subjectKey } from '../services/redis-keys';
import { type SettledStore } from '../services/settled-store';
import { setFields, type FieldList } from './browser-fields';
import { STATUS_BY_CODE } from './error-handler';

/** What a subject or an address may do within a window. */
export interface Quota {
  /** Counts one request and says so in fields; rejects with `rate_limited` when it is one too many. */
  count(req: Request, res: Response): Promise<void>;
}

/** A quota that can often decide at once. */
export interface FastQuota extends Quota {
  /**
   * Counts one request of the key.
   *
   * @returns the fields that say so, or undefined when only {@link Quota.count} can decide
   */
  tryCount(key: string): FieldList | undefined;
}

export interface QuotaOptions<S extends Store> {
  /** names the quota in the `RateLimit` and `RateLimit-Policy` fields */
  readonly name: string;
  readonly windowMs: number;
  /** requests a window */
  readonly limit: number;
  readonly store: S;
  readonly key: (req: Request) => string;
  readonly message: string;
}

/** Networks hand a household a /56, from which it can take 2^72 addresses. */
const IPV6_SUBNET = 56;

/** A quota as a function, so that what is counted can be decided where it is known. */
export function createQuota<S extends Store>(
  options: QuotaOptions<S>,
  formatFields = createFieldFormatter(options),
): Quota {
  const { windowMs, limit, store, key, message } = options;
  const limiter = rateLimit({
    windowMs,
    limit,
    store,
    // written below, as they are where a request can be decided without a limiter
    standardHeaders: false,
    legacyHeaders: false,
    keyGenerator: key,
    handler: (_req, _res, next) => {
      next(new AppError('rate_limited', message));
    },
    // its checks are for hand-written settings; ours are parsed
    validate: false,
  });
  return {
    count: (req, res) =>
      new Promise((resolve, reject) => {
        void limiter(req, res, (error?: unknown) => {
          const { rateLimit: told } = req as Request & { rateLimit?: RateLimitInfo };
          if (told) setFields(res, formatFields(told.key, told));
          if (error === undefined) {
            resolve();
            return;
          }
          if (told) res.set('Retry-After', String(secondsUntil(told.resetTime, windowMs)));
          reject(error instanceof Error ? error : new Error('limiter', { cause: error }));
        });
      }),
  };
}

/** A quota whose store can often decide at once. */
export function createFastQuota(options: QuotaOptions<SettledStore>): FastQuota {
  const { limit, store } = options;
  const formatFields = createFieldFormatter(options);
  return {
    ...createQuota(options, formatFields),
    tryCount(key) {
      const told = store.tryIncrement(key);
      if (!told || told.totalHits > limit) return undefined;
      const remaining = limit - told.totalHits;
      return formatFields(key, { remaining, resetTime: told.resetTime });
    },
  };
}

type FieldFormatter = (
  key: string,
  told: Pick<RateLimitInfo, 'remaining' | 'resetTime'>,
) => FieldList;

/** Bounds this process: about 1 MB for each quota. */
const MAX_POLICIES = 5_000;

/** @see draft-ietf-httpapi-ratelimit-headers-08 */
function createFieldFormatter({
  name,
  limit,
  windowMs,
}: Pick<QuotaOptions<Store>, 'name' | 'limit' | 'windowMs'>): FieldFormatter {
  const windowSeconds = Math.ceil(windowMs / 1000);
  // the same for each request of a key
  const policies = new LRUCache<string, string>({
    max: MAX_POLICIES,
    memoMethod: (key) => {
      // a digest: it shows what is counted together, not what that is
      const partition = Buffer.from(hash('sha256', key, 'hex').slice(0, 12)).toString('base64');
      return `"${name}"; q=${limit}; w=${windowSeconds}; pk=:${partition}:`;
    },
  });
  return (key, { remaining, resetTime }) => [
    'RateLimit',
    `"${name}"; r=${remaining}; t=${secondsUntil(resetTime, windowMs)}`,
    'RateLimit-Policy',
    policies.memo(key),
  ];
}

function secondsUntil(resetTime: Date | undefined, windowMs: number): number {
  const ms = resetTime ? resetTime.getTime() - Date.now() : windowMs;
  return Math.max(0, Math.ceil(ms / 1000));
}

export function keyBySubject(req: Request): string {
  return subjectKey(req.principal.subject);
}

export function keyByAddress(req: Request): string {
  // some proxies forward the port along
  const [, v4, v6] = /^([\d.]+):\d+$|^\[([\da-f:.]+)\](?::\d+)?$/i.exec(req.ip ?? '') ?? [];
  const address = v4 ?? v6 ?? req.ip ?? '';
  // one for all that is no address: a client gone already, a proxy that hides its clients
  return addressKey(isIP(address) === 0 ? 'unknown' : ipKeyGenerator(address, IPV6_SUBNET));
}

export interface TrackLimitDeps {
  readonly openings: Quota;
  readonly continuations: Quota;
  readonly admissions: Admissions;
}

/**
 * The limit of a listener. Opening a track uses up quota; going on with it does not, for six hours
 * after the last request, under a ceiling of its own. A 304 and our own failures are free.
 */
export function createTrackLimit({
  openings,
  continuations,
  admissions,
}: TrackLimitDeps): RequestHandler {
  const inProgress = new Map<string, Promise<boolean>>();

  /** @returns whether the subject was admitted before; if not, it is now and has paid for it */
  const renewOrOpen = async (req: Request, res: Response, trackId: string): Promise<boolean> => {
    const { subject } = req.principal;
    if (await admissions.renew(subject, trackId)) return true;
    await openings.count(req, res);
    await admissions.admit(subject, trackId);
    return false;
  };

  /** Players open a track with several requests at once; together they are one opening. */
  const renewOrOpenInTurn = async (
    req: Request,
    res: Response,
    trackId: string,
  ): Promise<boolean> => {
    // whose admission is known waits for nobody
    if (admissions.renewNow(req.principal.subject, trackId)) return true;
    const key = JSON.stringify([req.principal.subject, trackId]);
    for (let other = inProgress.get(key); other; other = inProgress.get(key)) {
      await other.catch(() => undefined); // its refusal is its own; we ask for ourselves
    }
    const attempt = renewOrOpen(req, res, trackId);
    inProgress.set(key, attempt);
    try {
      return await attempt;
    } finally {
      inProgress.delete(key);
    }
  };

  return async (req, res, next) => {
    const { delivery } = req;
    if (isFree(delivery)) {
      // a player that only revalidates goes on listening
      if (delivery?.kind === 'planned') {
        void admissions.renew(req.principal.subject, delivery.selected.id);
      }
      next();
      return;
    }
    if (delivery?.kind !== 'planned') await openings.count(req, res);
    else if (await renewOrOpenInTurn(req, res, delivery.selected.id))
      await continuations.count(req, res);
    next();
  };
}

/** Asking for metadata is what a listener decides, each time. */
export function createMetadataLimit(openings: Quota): RequestHandler {
  return async (req, res, next) => {
    if (!isFree(req.delivery)) await openings.count(req, res);
    next();
  };
}

/**
 * Beginning a playback opens the track, and costs that each time: whoever plays it then goes on with
 * it.
 */
export function createPlaybackLimit({
  openings,
  admissions,
}: Omit<TrackLimitDeps, 'continuations'>): RequestHandler {
  return async (req, res, next) => {
    const { delivery } = req;
    if (!isFree(delivery)) await openings.count(req, res);
    if (delivery?.kind === 'planned') {
      await admissions.admit(req.principal.subject, delivery.selected.id);
    }
    next();
  };
}

/** Asking for the list is as well. */
export function createListingLimit(openings: Quota): RequestHandler {
  return async (req, res, next) => {
    if (!isFree(req.listing)) await openings.count(req, res);
    next();
  };
}

/** For what a player does about a playback that has begun. */
export function createContinuationLimit(continuations: Quota): RequestHandler {
  return async (req, res, next) => {
    await continuations.count(req, res);
    next();
  };
}

/** What a request came to before it was counted. */
type Decided =
  | { readonly kind: 'planned'; readonly plan: { readonly status: number } }
  | { readonly kind: 'failed'; readonly error: unknown };

function isFree(delivery: Decided | undefined): boolean {
  if (delivery?.kind === 'planned') return delivery.plan.status === 304;
  const error = delivery?.error;
  return !(error instanceof AppError) || STATUS_BY_CODE[error.code] >= 500;
}
