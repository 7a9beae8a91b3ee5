import { type RequestHandler } from 'express';
import { type SelectedTrack, type TrackSource } from '../services/track-source';
import { readRequestFields } from '../streaming/request-fields';
import { type PlanRequest, type ResponsePlan } from '../streaming/response-plan';

/** What opening the track came to; known before quota is asked, as a 304 costs none. */
export type Delivery =
  | {
      readonly kind: 'planned';
      readonly selected: SelectedTrack;
      readonly plan: ResponsePlan;
      /** the track stays open until this settles, even when the client has left */
      holdUntil(work: Promise<unknown>): void;
    }
  | { readonly kind: 'failed'; readonly error: unknown };

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
      const release = (): void => {
        void work.catch(() => undefined).then(() => selected.track.close());
      };
      // a client that left while we opened has no 'close' to come
      if (res.closed) release();
      else res.once('close', release);

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
