import { randomUUID } from 'node:crypto';
import { openFfmpeg } from './adapters/ffmpeg';
import { connectRedis, noRedis, type RedisGateway } from './adapters/redis';
import { createTagReader, type TagReader } from './adapters/tag-reader';
import { createSendQueueReader } from './adapters/tcp-send-queue';
import { type Config } from './config';
import { createMedia, type Media } from './media';
import { createBrowserFields, type BrowserFields } from './middleware/browser-fields';
import {
  createFastQuota,
  createQuota,
  keyByAddress,
  keyBySubject,
  type FastQuota,
  type Quota,
} from './middleware/rate-limit';
import { createSendWatch, type SendWatch } from './middleware/send-timeout';
import { describeError, type Logger } from './observability/logger';
import { type Logs } from './observability/logs';
import { type RequestLog } from './observability/request-log';
import { openCatalogue } from './library-catalogue';
import { createAdmissions, type Admissions } from './services/admissions';
import { type Catalogue } from './services/catalogue/catalogue';
import { createCachedMetadata } from './services/cached-metadata';
import { createMetadataService, type MetadataService } from './services/metadata-service';
import { type Playbacks } from './services/playback';
import {
  createPlaybackGrants,
  derivePlaybackKeys,
  type PlaybackGrants,
} from './services/playback-grants';
import { createPlaybacks } from './services/playbacks';
import { createQuotaStore } from './services/quota-store';
import { createRedisCounter } from './services/redis-counter';
import { createSettledStore, type SettledStore } from './services/settled-store';
import { AUTH_FAILURES_PREFIX, CONTINUATIONS_PREFIX, OPENINGS_PREFIX } from './services/redis-keys';
import { createReadiness, type Readiness } from './services/readiness';
import { createReadyMetadata, type ReadyMetadata } from './services/ready-metadata';
import { createRememberedTokens, type RememberedTokens } from './services/remembered-tokens';
import { createTokenVerifier } from './services/token-verifier';
import { createHotBlocks } from './services/hot-blocks';
import { createKeptTracks, type KeptTracks } from './services/kept-tracks';
import { createTrackSource } from './services/track-source';
import { firstAvailable } from './services/first-available';
import { type SharedAdmissions } from './services/shared-admissions';
import { type SharedCounter } from './services/shared-counter';
import { createChunkMemory, type ChunkMemory } from './streaming/chunk-memory';
import { type Library } from './storage/library';
import { createLocalStore } from './storage/local-store';
import { type TrackStore } from './storage/track-store';

/** Everything the app is made of, opened and ready. */
export interface Container {
  readonly config: Config;
  readonly logger: Logger;
  readonly requestLog: RequestLog;
  readonly redis: RedisGateway;
  readonly tracks: KeptTracks;
  readonly metadata: MetadataService;
  /** does nothing before it is started */
  readonly catalogue: Catalogue;
  readonly readiness: Readiness;
  readonly media: Media;
  readonly readyMetadata: ReadyMetadata;
  readonly tokens: RememberedTokens;
  readonly admissions: Admissions;
  readonly grants: PlaybackGrants;
  readonly playbacks: Playbacks;
  readonly quotas: {
    readonly openings: FastQuota;
    readonly continuations: FastQuota;
    readonly authFailures: Quota;
  };
  readonly browserFields: BrowserFields;
  readonly watchSending: SendWatch;
  readonly memory: ChunkMemory;
  /** milliseconds since 1970 */
  readonly clock: () => number;
  readonly createBoundary: () => string;
  /** Closes what was opened, in reverse order. */
  close(): Promise<void>;
}

/** What the worker processes of this machine share when Redis is away. */
export interface Peers {
  readonly counter: SharedCounter;
  readonly admissions: SharedAdmissions;
}

/** Parts that a test puts in place of the real ones, and those that only a worker has. */
export interface Replacements {
  readonly peers?: Peers;
  readonly store?: TrackStore;
  /** absent where only the store is replaced: then there is nothing to list */
  readonly library?: Library;
  readonly redis?: RedisGateway;
  readonly tagReader?: TagReader;
  readonly clock?: () => number;
}

/** A listener comes back from dinner to a paused track. */
const ADMISSION_TTL_MS = 6 * 60 * 60 * 1000;

/** The composition root: the only place that knows which implementation is used. */
export async function createContainer(
  config: Config,
  { logger, requestLog }: Logs,
  replacements: Replacements = {},
): Promise<Container> {
  const { clock = Date.now, peers } = replacements;
  const redis = replacements.redis ?? (await openRedis(config, logger));
  const tagReader = replacements.tagReader ?? createTagReader();
  const memory = createChunkMemory();
  const store = replacements.store ?? createLocalStore(config.audioFilesDir, memory);
  const tracks = createKeptTracks({
    tracks: createTrackSource(store),
    hotBlocks: createHotBlocks({ maxBytes: config.hotCacheBytes }),
  });
  const metadata = createCachedMetadata({
    metadata: createMetadataService({ tagReader }),
    redis,
    ttlSeconds: config.metadataCacheTtlSeconds,
  });
  const catalogue = openCatalogue({ config, logger, tagReader, redis, memory, replacements });
  const ffmpeg = openFfmpeg(config.ffmpegPath);
  const media = await createMedia({ config, logger, metadata, tagReader, redis, memory, ffmpeg });
  const { quotas, shutdown } = createQuotas(config, redis, peers?.counter);
  const playbacks = createPlaybacks({
    redis,
    maxPlaybacks: config.maxPlaybacksPerSubject,
    pauseMs: config.playbackPauseSeconds * 1000,
    stream: config.playsStream,
    warn: (message, reason) => logger.warn(message, { error: describeError(reason) }),
    now: clock,
  });

  return {
    config,
    logger,
    requestLog,
    redis,
    tracks,
    readyMetadata: createReadyMetadata(),
    metadata,
    catalogue,
    readiness: createReadiness({
      catalogue,
      redis: () => (config.redisUrl === undefined ? 'none' : redis.isUp() ? 'up' : 'down'),
    }),
    media,
    tokens: openTokens(config, () => clock() / 1000),
    admissions: createAdmissions({
      redis,
      ...(peers ? { peers: peers.admissions } : {}),
      ttlMs: Math.max(ADMISSION_TTL_MS, config.rateLimit.windowMs),
      now: clock,
    }),
    grants: createPlaybackGrants(derivePlaybackKeys(config)),
    playbacks,
    quotas,
    memory,
    browserFields: createBrowserFields(config.corsOrigin),
    watchSending: createSendWatch(config.sendTimeoutMs, createSendQueueReader()),
    clock,
    createBoundary: randomUUID,
    async close() {
      await shutdown();
      playbacks.close();
      await media.close();
      // what the catalogue has under way ends with the reader
      await Promise.all([tagReader.close(), catalogue.close()]);
      await tracks.close();
      await redis.close();
    },
  };
}

async function openRedis({ redisUrl }: Config, logger: Logger): Promise<RedisGateway> {
  if (redisUrl !== undefined) return connectRedis(redisUrl, logger);
  logger.info('no redis is configured: limits and caches are local');
  return noRedis;
}

function openTokens(
  { jwtSecrets, jwtIssuer, jwtAudience }: Config,
  now: () => number,
): RememberedTokens {
  const verifier = createTokenVerifier({
    secrets: jwtSecrets,
    issuer: jwtIssuer,
    audience: jwtAudience,
    now,
  });
  return createRememberedTokens(verifier, now);
}

function createQuotas(
  { rateLimit }: Config,
  redis: RedisGateway,
  peers: SharedCounter | undefined,
): Pick<Container, 'quotas'> & { shutdown: () => Promise<void> } {
  const { windowMs, openingsMax, continuationsMax, authFailuresMax } = rateLimit;
  const redisCounter = createRedisCounter(redis);
  const counter = peers ? firstAvailable(redisCounter, peers) : redisCounter;
  const createStore = (prefix: string, limit: number): SettledStore =>
    createSettledStore({ counter, prefix, limit, windowMs });
  const stores = {
    openings: createStore(OPENINGS_PREFIX, openingsMax),
    continuations: createStore(CONTINUATIONS_PREFIX, continuationsMax),
    // rare, and somebody may be guessing: each is asked for
    authFailures: createQuotaStore(redis, AUTH_FAILURES_PREFIX, peers),
  };
  return {
    quotas: {
      openings: createFastQuota({
        windowMs,
        name: 'openings',
        limit: openingsMax,
        store: stores.openings,
        key: keyBySubject,
        message: 'Too many tracks were opened; try again later',
      }),
      continuations: createFastQuota({
        windowMs,
        name: 'continuations',
        limit: continuationsMax,
        store: stores.continuations,
        key: keyBySubject,
        message: 'Too many requests; try again later',
      }),
      authFailures: createQuota({
        windowMs,
        name: 'authentication-failures',
        limit: authFailuresMax,
        store: stores.authFailures,
        key: keyByAddress,
        message: 'Too many failed authentications; try again later',
      }),
    },
    async shutdown() {
      void stores.authFailures.shutdown?.();
      await Promise.all([stores.openings.shutdown(), stores.continuations.shutdown()]);
    },
  };
}
