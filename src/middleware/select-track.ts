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
      const selected = await tracks.select(String(req.params.trackId));
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

/**
 * The delivery a controller carries out.
 *
 * @throws what opening the track threw, now that it has been counted
 */
export function plannedDelivery({ delivery }: Request): PlannedDelivery {
  if (delivery?.kind === 'planned') return delivery;
  throw delivery ? delivery.error : new TypeError('no track was selected for this route');
}
