import { randomBytes } from 'node:crypto';
import { type RequestListener } from 'node:http';
import express, { type Express } from 'express';
import { type Container } from './container';
import { createAssetController } from './controllers/asset-controller';
import { createCatalogueController, createSelectListing } from './controllers/catalogue-controller';
import { createHealthController, createReadinessController } from './controllers/ops-controller';
import { createMetadataController, createMetadataPlan } from './controllers/metadata-controller';
import { createStreamController, planStream } from './controllers/stream-controller';
import { createDerivedController } from './controllers/derived-controller';
import { createPageControllers } from './controllers/page-controller';
import {
  createBeginPlayback,
  createEndPlayback,
  createExtendPlayback,
} from './controllers/playback-controller';
import { createPrepareController } from './controllers/prepare-controller';
import { createProgressController } from './controllers/progress-controller';
import { createFastLane } from './fast-lane';
import { createMethodGuard } from './middleware/allow-methods';
import { createAuthenticate } from './middleware/authenticate';
import { createAuthenticateGrant } from './middleware/authenticate-grant';
import { createOptionsAnswer } from './middleware/browser-fields';
import { createRequestCheck } from './middleware/check-request';
import { createErrorHandler, createNotFound } from './middleware/error-handler';
import { createTrackPermission } from './middleware/permit-track';
import { createPageFields } from './middleware/page-fields';
import {
  createContinuationLimit,
  createListingLimit,
  createMetadataLimit,
  createPlaybackLimit,
  createTrackLimit,
} from './middleware/rate-limit';
import { createUnreadContentClosing } from './middleware/read-json';
import { createContentRefusal } from './middleware/refuse-content';
import { createRequestContext, createRouteNaming } from './middleware/request-context';
import { createSelectTrack } from './middleware/select-track';
import { createSendTimeout } from './middleware/send-timeout';
import { DOCS_ASSETS, DOCS_PAGE, DOCS_SOURCES } from './openapi/docs-page';
import { describeApi } from './openapi/document';
import { createDocsRoutes } from './routes/docs-routes';
import { createOpsRoutes } from './routes/ops-routes';
import { createPageRoutes } from './routes/page-routes';
import { createStreamRoutes, type TrackSteps } from './routes/stream-routes';
import { type Derive } from './services/derivation';

/** Beside what every page has: what MediaSource and fetched covers are shown from. */
const PLAYER_SOURCES = {
  'img-src': ['blob:'],
  'media-src': ["'self'", 'blob:'],
  'worker-src': ["'self'"],
} as const;

/** The app, behind the fast lane where that is on. */
export function createRequestListener(container: Container): RequestListener {
  const app = createApp(container);
  return container.config.fastLane ? createFastLane(container, app) : app;
}

/** The order of middleware and routers, nothing else. */
function createApp(container: Container): Express {
  const { config, tracks, metadata, media, tokens, quotas, admissions } = container;
  const { clock, createBoundary, memory, grants, playbacks } = container;
  const failures = quotas.authFailures;
  const browserFields = container.browserFields.handler;
  const requestCheck = createRequestCheck();
  const answerOptions = createOptionsAnswer();
  const nameRoute = createRouteNaming();
  const methodGuard = createMethodGuard();
  const refuseContent = createContentRefusal();
  const selection = { tracks, createBoundary, now: clock };
  const limit = createTrackLimit({ ...quotas, admissions });
  const sendDerived = createDerivedController({ productions: media.productions, memory });
  const sendPicture = createDerivedController({ productions: media.pictureProductions, memory });
  const derived = (derive: Derive, send = sendDerived): TrackSteps => ({
    select: createSelectTrack({ ...selection, derive }),
    limit,
    send,
  });

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.set('trust proxy', config.trustProxy);
  app.set('query parser', 'simple');

  app.use(
    createOpsRoutes({
      before: [
        createRequestContext(container, { level: 'debug' }),
        nameRoute,
        browserFields,
        requestCheck,
        answerOptions,
        methodGuard,
      ],
      health: createHealthController(config.nodeEnv),
      ready: createReadinessController(container.readiness),
    }),
  );
  app.use(createRequestContext(container));
  app.use(createSendTimeout(container.watchSending));
  app.use(browserFields, requestCheck, answerOptions);
  if (config.playerPage ?? config.nodeEnv === 'development') {
    const pageFields = createPageFields(PLAYER_SOURCES);
    const before = [nameRoute, methodGuard, refuseContent, pageFields];
    app.use(createPageRoutes({ before, page: createPageControllers() }));
  }
  app.use(
    createDocsRoutes({
      before: [nameRoute, methodGuard, refuseContent],
      pageFields: createPageFields(DOCS_SOURCES),
      description: createAssetController({
        mediaType: 'application/json; charset=utf-8',
        load: () => Buffer.from(JSON.stringify(describeApi())),
      }),
      page: createAssetController(DOCS_PAGE),
      assets: Object.fromEntries(
        DOCS_ASSETS.map((asset) => [asset.name, createAssetController(asset)]),
      ),
    }),
  );
  app.use(
    '/api/stream',
    createStreamRoutes({
      nameRoute,
      methodGuard,
      refuseContent,
      authenticateGrant: createAuthenticateGrant({ grants, playbacks, failures }),
      authenticate: createAuthenticate({
        tokens,
        failures,
        requiredScope: config.jwtRequiredScope,
      }),
      permitTrack: createTrackPermission(),
      catalogue: {
        select: createSelectListing({ catalogue: container.catalogue, now: clock }),
        limit: createListingLimit(quotas.openings),
        send: createCatalogueController(),
      },
      stream: {
        select: createSelectTrack({ ...selection, plan: planStream, derive: media.transcode }),
        limit,
        send: createStreamController(memory, sendDerived),
      },
      metadata: {
        select: createSelectTrack({ ...selection, plan: createMetadataPlan(media.meter) }),
        limit: createMetadataLimit(quotas.openings),
        send: createMetadataController({
          metadata,
          ready: container.readyMetadata,
          meter: media.meter,
        }),
      },
      derived: {
        '/hls/master.m3u8': derived(media.hls),
        '/hls/:variant/index.m3u8': derived(media.hls),
        '/hls/:variant/:validator/:segment': derived(media.hls),
        '/artwork': derived(media.artwork, sendPicture),
        '/waveform': derived(media.waveform),
        '/loudness': derived(media.loudness),
      },
      prepare: {
        select: createSelectTrack({ ...selection, plan: planStream, derive: media.transcode }),
        limit,
        send: createPrepareController(media.productions),
      },
      playback: {
        begin: {
          select: createSelectTrack({ ...selection, plan: planStream }),
          limit: createPlaybackLimit({ ...quotas, admissions }),
          send: createBeginPlayback({
            ...container,
            pauseSeconds: config.playbackPauseSeconds,
            createId: () => randomBytes(16).toString('base64url'),
            now: clock,
          }),
        },
        limit: createContinuationLimit(quotas.continuations),
        extend: createExtendPlayback(container),
        end: createEndPlayback(container),
        report: createProgressController(container),
        closeUnread: createUnreadContentClosing(),
      },
    }),
  );
  app.use(createNotFound());
  app.use(createErrorHandler());
  return app;
}
