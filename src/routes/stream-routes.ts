import { Router, type ErrorRequestHandler, type RequestHandler } from 'express';

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
  /** of the routes that a playback grant opens */
  readonly authenticateGrant: RequestHandler;
  readonly authenticate: RequestHandler;
  /** the list of tracks */
  readonly catalogue: TrackSteps;
  readonly stream: TrackSteps;
  readonly metadata: TrackSteps;
  /** what is made of a track, by the path behind it */
  readonly derived: Readonly<Record<string, TrackSteps>>;
  readonly prepare: TrackSteps;
  readonly playback: PlaybackSteps;
}

/** What requests about playbacks pass. */
export interface PlaybackSteps {
  readonly begin: TrackSteps;
  readonly limit: RequestHandler;
  readonly extend: RequestHandler;
  readonly end: RequestHandler;
  /** reads content, as no other does */
  readonly report: RequestHandler;
  readonly closeUnread: ErrorRequestHandler;
}

const PLAYBACK = '/:trackId/playback/:id';
const PROGRESS = `${PLAYBACK}/progress`;

/** /api/stream, with or without a slash at its end, and everything below. HEAD takes the way of GET. */
export function createStreamRoutes({
  nameRoute,
  methodGuard,
  refuseContent,
  authenticateGrant,
  authenticate,
  catalogue,
  stream,
  metadata,
  derived,
  prepare,
  playback,
}: StreamRoutesDeps): Router {
  const router = Router({ caseSensitive: true });
  const opened = ['', '/metadata', ...Object.keys(derived)].map((path) => `/:trackId${path}`);
  const others = ['/:trackId/prepare', '/:trackId/playback', PLAYBACK, PROGRESS];
  router.all('/', nameRoute);
  for (const path of [...opened, ...others]) router.all(path, nameRoute);
  const { begin, limit, extend, end, report, closeUnread } = playback;
  router.use(methodGuard);
  router.post(PROGRESS, authenticateGrant, authenticate, limit, report, closeUnread);
  router.use(refuseContent);
  router.get(opened, authenticateGrant);
  router.use(authenticate);
  router.get('/', catalogue.select, catalogue.limit, catalogue.send);
  router.get('/:trackId', stream.select, stream.limit, stream.send);
  router.get('/:trackId/metadata', metadata.select, metadata.limit, metadata.send);
  for (const [path, { select, limit, send }] of Object.entries(derived)) {
    router.get(`/:trackId${path}`, select, limit, send);
  }
  router.post('/:trackId/prepare', prepare.select, prepare.limit, prepare.send);
  router.post('/:trackId/playback', begin.select, begin.limit, begin.send);
  router.put(PLAYBACK, limit, extend);
  router.delete(PLAYBACK, limit, end);
  return router;
}
