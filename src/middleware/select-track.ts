import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Request, type RequestHandler } from 'express';
import { AppError } from '../errors';
import {
  type Derivation,
  type DerivationRequest,
  type Derive,
  type StoredOriginal,
} from '../services/derivation';
import { parseQuery } from '../services/query-values';
import { type SelectedTrack, type TrackSource } from '../services/track-source';
import { readRequestFields } from '../streaming/request-fields';
import { planUnbounded, type PlanRequest, type ResponsePlan } from '../streaming/response-plan';
import { exchangeOf } from './exchange';

/** What opening the track came to; known before quota is asked, as a 304 costs none. */
export type Delivery = PlannedDelivery | { readonly kind: 'failed'; readonly error: unknown };

export interface PlannedDelivery {
  readonly kind: 'planned';
  readonly selected: SelectedTrack;
  readonly plan: ResponsePlan;
  /** what is to be made of the track; its plan knows the preconditions, its length comes later */
  readonly derivation?: Derivation;
  readonly request: PlanRequest;
  /** the track stays open until this settles, even when the client has left */
  readonly holdUntil: (work: Promise<unknown>) => void;
}

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- the only way to extend Express' Request
  namespace Express {
    interface Request {
      delivery?: Delivery;
    }
  }
}

export interface SelectTrackDeps {
  readonly tracks: TrackSource;
  /** of the track itself */
  readonly plan?: (
    request: PlanRequest,
    selected: SelectedTrack,
  ) => ResponsePlan | Promise<ResponsePlan>;
  /** asked first; without a plan it must have an answer */
  readonly derive?: Derive<Derivation | StoredOriginal>;
  readonly createBoundary: () => string;
  /** milliseconds since 1970 */
  readonly now: () => number;
}

/**
 * Opens the track and plans the answer. A failure waits in `req.delivery` until it has been
 * counted: guessing ids must cost quota. The track is closed when the response is over, however.
 */
export function createSelectTrack({
  tracks,
  plan: planOriginal,
  derive,
  createBoundary,
  now,
}: SelectTrackDeps): RequestHandler {
  return async (req, res, next) => {
    try {
      const trackId = String(req.params.trackId);
      const selected = await (takeOver(req, trackId) ?? tracks.select(trackId));
      let work: Promise<unknown> = Promise.resolve();
      exchangeOf(req, res).onOver(() => {
        void work.catch(() => undefined).then(() => selected.track.close());
      });
      // who left while it was opened has closed it with that: nothing can be read from it
      req.context.signal.throwIfAborted();

      const method = req.method === 'HEAD' ? 'HEAD' : 'GET';
      // POST makes what a GET would, whatever the client has of it: a 304 would cost it no quota
      const fields = req.method === 'POST' ? {} : readRequestFields(req.rawHeaders);
      const request = { method, fields, now: now(), createBoundary } as const;
      const deriving = derive?.(selected, readDerivationRequest(req));
      // a client who leaves meanwhile must not close the track under whoever reads it
      if (deriving) work = deriving;
      const wanted = await deriving;
      const derivation = wanted && 'content' in wanted ? wanted : undefined;
      const plan = derivation
        ? planDerived(request, derivation)
        : planStored(await planOriginal?.(request, selected), wanted);
      req.delivery = {
        kind: 'planned',
        selected,
        request,
        plan,
        ...(derivation ? { derivation } : {}),
        holdUntil(promise) {
          // nobody else need wait for it: a failure is told by what carries out the delivery
          work = promise.catch(() => undefined);
        },
      };
    } catch (error) {
      req.delivery = { kind: 'failed', error };
    }
    next();
  };
}

function planStored(
  plan: ResponsePlan | undefined,
  wanted: Derivation | StoredOriginal | undefined,
): ResponsePlan {
  if (!plan) throw new AppError('not_found', 'There is nothing at this address');
  if (!wanted || !('furtherFields' in wanted)) return plan;
  return { ...plan, fields: { ...plan.fields, ...wanted.furtherFields } };
}

function planDerived(request: PlanRequest, { representation }: Derivation): ResponsePlan {
  return { ...planUnbounded(request, representation), segments: [], contentLength: 0 };
}

function readDerivationRequest({ originalUrl, params, headers }: Request): DerivationRequest {
  return {
    query: parseQuery(originalUrl),
    params: params as Readonly<Record<string, string>>,
    accept: headers.accept,
  };
}

interface HandedOver {
  readonly trackId: string;
  readonly selecting: Promise<SelectedTrack>;
}

// kept with the request; see `exchange.ts` for why not in a `WeakMap`
const HANDED_OVER = Symbol('handed over');
type Receiving = IncomingMessage & { [HANDED_OVER]?: HandedOver | undefined };

/**
 * Leaves what opening the track came to, or will, to the request's own selection, so that nothing is
 * opened twice. A track that is never asked for is closed when the response is over.
 */
export function handOver(
  req: Receiving,
  res: ServerResponse,
  trackId: string,
  selecting: Promise<SelectedTrack>,
): void {
  selecting.catch(() => undefined); // whoever takes it over answers the failure
  req[HANDED_OVER] = { trackId, selecting };
  exchangeOf(req, res).onOver(() => {
    void takeOver(req, trackId)?.then(
      ({ track }) => track.close(),
      () => undefined,
    );
  });
}

/** Once, and for the same track only. */
function takeOver(req: Receiving, trackId: string): Promise<SelectedTrack> | undefined {
  const left = req[HANDED_OVER];
  if (left?.trackId !== trackId) return undefined;
  req[HANDED_OVER] = undefined;
  return left.selecting;
}

/**
 * The delivery a controller carries out.
 *
 * @throws what opening the track threw, now that it has been counted
 */
export function plannedDelivery({ delivery }: Request): PlannedDelivery {
  if (delivery?.kind === 'planned') return delivery;
  throw delivery ? delivery.error : new TypeError('no track was selected for this route');
}
