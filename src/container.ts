import { randomUUID } from 'node:crypto';
import { type Socket } from 'node:net';
import { connectRedis, noRedis, type RedisGateway } from './adapters/redis';
import { createTagReader, type TagReader } from './adapters/tag-reader';
import { createSendQueueReader } from './adapters/tcp-send-queue';
import { type Config } from './config';
import { createQuota, keyByAddress, keyBySubject, type Quota } from './middleware/rate-limit';
import { type Logger } from './observability/logger';
import { type Logs } from './observability/logs';
import { type RequestLog } from './observability/request-log';
import { createAdmissions, type Admissions } from './services/admissions';
import { createCachedMetadata } from './services/cached-metadata';
import { createMetadataService, type MetadataService } from './services/metadata-service';
import { createQuotaStore } from './services/quota-store';
import { AUTH_FAILURES_PREFIX, CONTINUATIONS_PREFIX, OPENINGS_PREFIX } from './services/redis-keys';
import { createRememberedTokens, type RememberedTokens } from './services/remembered-tokens';
import { createTokenVerifier } from './services/token-verifier';
import { createKeptTracks, type KeptTracks } from './services/kept-tracks';
import { createTrackSource } from './services/track-source';
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
  readonly tokens: RememberedTokens;
  readonly admissions: Admissions;
  readonly quotas: Readonly<Record<'openings' | 'continuations' | 'authFailures', Quota>>;
  readonly readSendQueue: (socket: Socket) => Promise<number | undefined>;
  /** milliseconds since 1970 */
  readonly clock: () => number;
  readonly createBoundary: () => string;
  /** Closes what was opened, in reverse order. */
  close(): Promise<void>;
}

/** Parts that a test puts in place of the real ones. */
export interface Replacements {
  readonly store?: TrackStore;
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
  const { clock = Date.now } = replacements;
  const redis = replacements.redis ?? (await openRedis(config, logger));
  const tagReader = replacements.tagReader ?? createTagReader();
  const store = replacements.store ?? createLocalStore(config.audioFilesDir);
  const tracks = createKeptTracks({ tracks: createTrackSource(store) });
  const { quotas, shutdown } = createQuotas(config, redis);

  return {
    config,
    logger,
    requestLog,
    redis,
    tracks,
    metadata: createCachedMetadata({
      metadata: createMetadataService({ tagReader }),
      redis,
      ttlSeconds: config.metadataCacheTtlSeconds,
    }),
    tokens: openTokens(config, () => clock() / 1000),
    admissions: createAdmissions({
      redis,
      ttlMs: Math.max(ADMISSION_TTL_MS, config.rateLimit.windowMs),
      now: clock,
    }),
    quotas,
    readSendQueue: createSendQueueReader(),
    clock,
    createBoundary: randomUUID,
    async close() {
      shutdown();
      await tagReader.close();
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
): Pick<Container, 'quotas'> & { shutdown: () => void } {
  const stores = {
    openings: createQuotaStore(redis, OPENINGS_PREFIX),
    continuations: createQuotaStore(redis, CONTINUATIONS_PREFIX),
    authFailures: createQuotaStore(redis, AUTH_FAILURES_PREFIX),
  };
  const { windowMs } = rateLimit;
  return {
    quotas: {
      openings: createQuota({
        windowMs,
        name: 'openings',
        limit: rateLimit.openingsMax,
        store: stores.openings,
        key: keyBySubject,
        message: 'Too many tracks were opened; try again later',
      }),
      continuations: createQuota({
        windowMs,
        name: 'continuations',
        limit: rateLimit.continuationsMax,
        store: stores.continuations,
        key: keyBySubject,
        message: 'Too many requests; try again later',
      }),
      authFailures: createQuota({
        windowMs,
        name: 'authentication-failures',
        limit: rateLimit.authFailuresMax,
        store: stores.authFailures,
        key: keyByAddress,
        message: 'Too many failed authentications; try again later',
      }),
    },
    shutdown() {
      for (const store of Object.values(stores)) void store.shutdown?.();
    },
  };
}
