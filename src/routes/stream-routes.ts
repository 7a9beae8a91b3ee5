import { Router, type RequestHandler } from 'express';

/** What a request for a track, or for the list of them, passes, in this order. */
export interface TrackSteps {
  /** opens the track, or takes the page, and plans the answer */
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
  /** the list of tracks */
  readonly catalogue: TrackSteps;
  readonly stream: TrackSteps;
  readonly metadata: TrackSteps;
  /** what is made of a track, by the path behind it */
  readonly derived: Readonly<Record<string, TrackSteps>>;
  readonly prepare: TrackSteps;
}

/** /api/stream, with or without a slash at its end, and everything below. HEAD takes the way of GET. */
export function createStreamRoutes({
  nameRoute,
  methodGuard,
  refuseContent,
  authenticate,
  catalogue,
  stream,
  metadata,
  derived,
  prepare,
}: StreamRoutesDeps): Router {
  const router = Router({ caseSensitive: true });
  router.all('/', nameRoute);
  router.all('/:trackId', nameRoute);
  router.all('/:trackId/metadata', nameRoute);
  router.all('/:trackId/prepare', nameRoute);
  for (const path of Object.keys(derived)) router.all(`/:trackId${path}`, nameRoute);
  router.use(methodGuard, refuseContent, authenticate);
  router.get('/', catalogue.select, catalogue.limit, catalogue.send);
  router.get('/:trackId', stream.select, stream.limit, stream.send);
  router.get('/:trackId/metadata', metadata.select, metadata.limit, metadata.send);
  for (const [path, { select, limit, send }] of Object.entries(derived)) {
    router.get(`/:trackId${path}`, select, limit, send);
  }
  router.post('/:trackId/prepare', prepare.select, prepare.limit, prepare.send);
  return router;
}
