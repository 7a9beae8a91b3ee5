import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Request, type RequestHandler } from 'express';
import { type SelectedTrack, type TrackSource } from '../services/track-source';
import { readRequestFields } from '../streaming/request-fields';
import { type PlanRequest, type ResponsePlan } from '../streaming/response-plan';
import { exchangeOf } from './exchange';

/** What opening the track came to; known before quota is asked, as a 304 costs none. */
export type Delivery = PlannedDelivery | { readonly kind: 'failed'; readonly error: unknown };

export interface PlannedDelivery {
  readonly kind: 'planned';
  readonly selected: SelectedTrack;
  readonly plan: ResponsePlan;
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
  readonly plan: (request: PlanRequest, selected: SelectedTrack) => ResponsePlan;
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
  plan,
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

      const method = req.method === 'HEAD' ? 'HEAD' : 'GET';
      const fields = readRequestFields(req.rawHeaders);
      req.delivery = {
        kind: 'planned',
        selected,
        plan: plan({ method, fields, now: now(), createBoundary }, selected),
        holdUntil(promise) {
          work = promise;
        },
      };
    } catch (error) {
      req.delivery = { kind: 'failed', error };
    }
    next();
  };
}

interface HandedOver {
  readonly trackId: string;
  readonly selecting: Promise<SelectedTrack>;
}

// keyed by Node's own object: an entry goes with its request at the latest
const handedOver = new WeakMap<IncomingMessage, HandedOver>();

/**
 * Leaves what opening the track came to, or will, to the request's own selection, so that nothing is
 * opened twice. A track that is never asked for is closed when the response is over.
 */
export function handOver(
  req: IncomingMessage,
  res: ServerResponse,
  trackId: string,
  selecting: Promise<SelectedTrack>,
): void {
  selecting.catch(() => undefined); // whoever takes it over answers the failure
  handedOver.set(req, { trackId, selecting });
  exchangeOf(req, res).onOver(() => {
    void takeOver(req, trackId)?.then(
      ({ track }) => track.close(),
      () => undefined,
    );
  });
}

/** Once, and for the same track only. */
function takeOver(req: IncomingMessage, trackId: string): Promise<SelectedTrack> | undefined {
  const left = handedOver.get(req);
  if (left?.trackId !== trackId) return undefined;
  handedOver.delete(req);
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
