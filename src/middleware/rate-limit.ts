import { isIP } from 'node:net';
import { type Request, type RequestHandler, type Response } from 'express';
import { ipKeyGenerator, rateLimit, type Store } from 'express-rate-limit';
import { AppError } from '../errors';
import { type Admissions } from '../services/admissions';
import { addressKey, subjectKey } from '../services/redis-keys';
import { STATUS_BY_CODE } from './error-handler';
import { type Delivery } from './select-track';

/** Counts one request; rejects with `rate_limited` when that is one too many. */
export type Quota = (req: Request, res: Response) => Promise<void>;

export interface QuotaOptions {
  /** names the quota in the `RateLimit` and `RateLimit-Policy` fields */
  readonly name: string;
  readonly windowMs: number;
  /** requests a window */
  readonly limit: number;
  readonly store: Store;
  readonly key: (req: Request) => string;
  readonly message: string;
}

/** Networks hand a household a /56, from which it can take 2^72 addresses. */
const IPV6_SUBNET = 56;

/** A quota as a function, so that what is counted can be decided where it is known. */
export function createQuota({ name, windowMs, limit, store, key, message }: QuotaOptions): Quota {
  const limiter = rateLimit({
    windowMs,
    limit,
    store,
    identifier: name,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    keyGenerator: key,
    handler: (_req, _res, next) => {
      next(new AppError('rate_limited', message));
    },
    // its checks are for hand-written settings; ours are parsed
    validate: false,
  });
  return (req, res) =>
    new Promise((resolve, reject) => {
      void limiter(req, res, (error?: unknown) => {
        if (error === undefined) resolve();
        else reject(error instanceof Error ? error : new Error('limiter', { cause: error }));
      });
    });
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
    await openings(req, res);
    await admissions.admit(subject, trackId);
    return false;
  };

  /** Players open a track with several requests at once; together they are one opening. */
  const renewOrOpenInTurn = async (
    req: Request,
    res: Response,
    trackId: string,
  ): Promise<boolean> => {
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
    if (delivery?.kind !== 'planned') await openings(req, res);
    else if (await renewOrOpenInTurn(req, res, delivery.selected.id)) await continuations(req, res);
    next();
  };
}

/** Asking for metadata is what a listener decides, each time. */
export function createMetadataLimit(openings: Quota): RequestHandler {
  return async (req, res, next) => {
    if (!isFree(req.delivery)) await openings(req, res);
    next();
  };
}

function isFree(delivery: Delivery | undefined): boolean {
  if (delivery?.kind === 'planned') return delivery.plan.status === 304;
  const error = delivery?.error;
  return !(error instanceof AppError) || STATUS_BY_CODE[error.code] >= 500;
}
