import { Router, type RequestHandler } from 'express';

/** What a request for a track passes, in this order. */
export interface TrackSteps {
  /** opens the track and plans the answer */
  readonly select: RequestHandler;
  /** lets it pass or answers 429 */
  readonly limit: RequestHandler;
  readonly send: RequestHandler;
}

export interface StreamRoutesDeps {
  readonly nameRoute: RequestHandler;
  readonly methodGuard: RequestHandler;
  readonly refuseContent: RequestHandler;
  readonly authenticate: RequestHandler;
  readonly stream: TrackSteps;
  readonly metadata: TrackSteps;
}

/** Everything below /api/stream. HEAD takes the way of GET. */
export function createStreamRoutes({
  nameRoute,
  methodGuard,
  refuseContent,
  authenticate,
  stream,
  metadata,
}: StreamRoutesDeps): Router {
  const router = Router({ caseSensitive: true });
  router.all('/:trackId', nameRoute);
  router.all('/:trackId/metadata', nameRoute);
  router.use(methodGuard, refuseContent, authenticate);
  router.get('/:trackId', stream.select, stream.limit, stream.send);
  router.get('/:trackId/metadata', metadata.select, metadata.limit, metadata.send);
  return router;
}
