import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { publicKeys } from './config-keys';
import {
  corsOrigin,
  host,
  keySetUrl,
  loudnessTarget,
  MAX_TIMER_MS,
  MAX_TIMER_SECONDS,
  optionalText,
  redisUrl,
  requiredScope,
  secret,
  SECRET_WANTED,
  trustProxy,
  wholeNumber,
  workers,
} from './config-values';

/** Everything the service can be told from outside, parsed and complete. */
export type Config = Readonly<z.infer<typeof environment>>;

/** Exit code of a process that was configured wrongly (EX_CONFIG of sysexits.h). */
export const EXIT_CONFIG = 78;

/** The secret that `.env.example` shows; good enough to try things out, refused in production. */
export const EXAMPLE_JWT_SECRET = 'change-me-to-at-least-32-random-bytes';

/** One line for each bad variable; never a value, which may be a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

const LOG_LEVELS = ['error', 'warn', 'info', 'http', 'verbose', 'debug', 'silly'] as const;
/** The variables, in the order of `.env.example` and the README. */
const environment = z
  .object({
    PORT: wholeNumber(0, 65_535).default(3005),
    HOST: host.optional(),
    NODE_ENV: z.string().default('development'),
    JWT_SECRET: secret.optional(),
    JWT_SECRET_PREVIOUS: secret.optional(),
    JWT_ISSUER: optionalText,
    JWT_AUDIENCE: optionalText,
    JWT_PUBLIC_KEY: publicKeys.optional(),
    JWKS_URL: keySetUrl.optional(),
    JWT_REQUIRED_SCOPE: requiredScope.optional(),
    AUDIO_FILES_DIR: z.string().default('./uploads/audio'),
    REDIS_URL: redisUrl.default('redis://localhost:6379'),
    LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).default('info'),
    LOG_FORMAT: z.enum(['json', 'text'], 'must be json or text').optional(),
    CORS_ORIGIN: corsOrigin.default('*'),
    RATE_LIMIT_WINDOW_MS: wholeNumber(1_000, MAX_TIMER_MS, 'milliseconds').default(60_000),
    RATE_LIMIT_MAX: wholeNumber(1, 1_000_000_000, 'requests').default(300),
    RATE_LIMIT_SEEK_MAX: wholeNumber(1, 1_000_000_000, 'requests').optional(),
    RATE_LIMIT_AUTH_FAILURES: wholeNumber(1, 1_000_000_000, 'requests').default(60),
    METADATA_CACHE_TTL_SECONDS: wholeNumber(1, 31_536_000, 'seconds').default(86_400),
    SEND_TIMEOUT_SECONDS: wholeNumber(0, MAX_TIMER_SECONDS, 'seconds').default(60),
    DRAIN_TIMEOUT_SECONDS: wholeNumber(0, MAX_TIMER_SECONDS, 'seconds').default(25),
    TRUST_PROXY: trustProxy.default(0),
    HOT_CACHE_MB: wholeNumber(0, 65_536, 'megabytes').default(64),
    FAST_LANE: z.enum(['true', 'false'], 'must be true or false').default('true'),
    WORKERS: workers.optional(),
    FFMPEG_PATH: optionalText,
    TRANSCODE_JOBS: wholeNumber(1, 256).default(availableParallelism()),
    CACHE_DIR: z.string().default('./cache'),
    CACHE_MAX_BYTES: wholeNumber(0, 999_999_999_999_999, 'bytes').default(2_000_000_000),
    LOUDNESS_TARGET_LUFS: loudnessTarget.default(-14),
    PLAYBACK_SECRET: secret.optional(),
    PLAYBACK_PAUSE_SECONDS: wholeNumber(0, 86_400, 'seconds').default(14_400),
    MAX_PLAYBACKS_PER_SUBJECT: wholeNumber(0, 1_000, 'playbacks').default(0),
    PLAYS_STREAM: z
      .string()
      .regex(/^[\w:.{}-]{1,128}$/, 'must be the name of a Redis key')
      .default('tuneton:plays'),
    RESCAN_SECONDS: wholeNumber(1, 604_800, 'seconds').default(900),
    PLAYER_PAGE: z.enum(['true', 'false'], 'must be true or false').optional(),
  })
  .transform((env) => ({
    port: env.PORT,
    host: env.HOST,
    nodeEnv: env.NODE_ENV,
    /** the first signs and verifies, the rest only verify; none where tokens are signed by public key */
    jwtSecrets: [env.JWT_SECRET, env.JWT_SECRET_PREVIOUS].filter((value) => value !== undefined),
    jwtIssuer: env.JWT_ISSUER,
    jwtAudience: env.JWT_AUDIENCE,
    jwtPublicKeys: env.JWT_PUBLIC_KEY,
    jwksUrl: env.JWKS_URL,
    jwtRequiredScope: env.JWT_REQUIRED_SCOPE,
    audioFilesDir: env.AUDIO_FILES_DIR,
    /** undefined: run without Redis */
    redisUrl: env.REDIS_URL === '' ? undefined : env.REDIS_URL,
    logLevel: env.LOG_LEVEL,
    logFormat: env.LOG_FORMAT ?? (env.NODE_ENV === 'production' ? 'json' : 'text'),
    corsOrigin: env.CORS_ORIGIN,
    rateLimit: {
      windowMs: env.RATE_LIMIT_WINDOW_MS,
      openingsMax: env.RATE_LIMIT_MAX,
      continuationsMax: env.RATE_LIMIT_SEEK_MAX ?? env.RATE_LIMIT_MAX * 20,
      authFailuresMax: env.RATE_LIMIT_AUTH_FAILURES,
    },
    metadataCacheTtlSeconds: env.METADATA_CACHE_TTL_SECONDS,
    /** 0: a client that takes nothing is never cut */
    sendTimeoutMs: env.SEND_TIMEOUT_SECONDS * 1000,
    drainTimeoutMs: env.DRAIN_TIMEOUT_SECONDS * 1000,
    trustProxy: env.TRUST_PROXY,
    hotCacheBytes: env.HOT_CACHE_MB * 1_000_000,
    fastLane: env.FAST_LANE === 'true',
    /** processes that serve, 2 or more; undefined: this one does */
    workers: env.WORKERS,
    /** undefined: the first on PATH */
    ffmpegPath: env.FFMPEG_PATH,
    /** in this process; workers share what there is */
    transcodeJobs: Math.max(1, Math.floor(env.TRANSCODE_JOBS / (env.WORKERS ?? 1))),
    cacheDir: env.CACHE_DIR,
    cacheMaxBytes: env.CACHE_MAX_BYTES,
    loudnessTargetLufs: env.LOUDNESS_TARGET_LUFS,
    /** undefined: keys for grants are derived from the JWT secrets */
    playbackSecret: env.PLAYBACK_SECRET,
    playbackPauseSeconds: env.PLAYBACK_PAUSE_SECONDS,
    /** 0: any number */
    maxPlaybacksPerSubject: env.MAX_PLAYBACKS_PER_SUBJECT,
    playsStream: env.PLAYS_STREAM,
    rescanSeconds: env.RESCAN_SECONDS,
    /** undefined: in development only */
    playerPage: env.PLAYER_PAGE && env.PLAYER_PAGE === 'true',
  }));

/** Names of every variable that is read, in the order of the documentation. */
export const VARIABLE_NAMES: readonly string[] = Object.keys(environment.def.in.shape);

/**
 * Turns the environment into a Config. An empty variable counts as absent (compose files and
 * Kubernetes set them so), but for `REDIS_URL`, where it means no Redis.
 *
 * @throws ConfigError naming every bad variable at once
 */
export function parseConfig(env: NodeJS.ProcessEnv): Config {
  const present = Object.fromEntries(
    VARIABLE_NAMES.map((name) => [name, env[name]] as const).filter(
      ([name, value]) => value !== undefined && (value !== '' || name === 'REDIS_URL'),
    ),
  );
  const result = environment.safeParse(present);
  const problems = [
    ...(result.error?.issues ?? []).map((issue) => `${issue.path.join('.')} ${issue.message}`),
    ...findKeyProblems(present),
    ...findExampleSecrets(present),
  ].sort((one, other) => positionOf(one) - positionOf(other));
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return result.data;
}

type Present = Readonly<Record<string, string | undefined>>;

/** Where a problem's variable stands in the documentation. */
function positionOf(problem: string): number {
  return VARIABLE_NAMES.indexOf(problem.slice(0, problem.indexOf(' ')));
}

/**
 * Apart from the schema, which looks at several variables only when each of them is right. With two
 * kinds of key a token could choose which one it is held against.
 */
function findKeyProblems(env: Present): readonly string[] {
  const [kind, ...others] = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWKS_URL'].filter(
    (name) => env[name] !== undefined,
  );
  if (kind === undefined) return [`JWT_SECRET is required: ${SECRET_WANTED}`];
  const problems = others.map((name) => `${name} must not be set together with ${kind}`);
  if (kind === 'JWT_SECRET') return problems;
  if (env.JWT_SECRET_PREVIOUS !== undefined) {
    problems.push(`JWT_SECRET_PREVIOUS must not be set together with ${kind}`);
  }
  if (env.PLAYBACK_SECRET === undefined) {
    problems.push(`PLAYBACK_SECRET is required with ${kind}: ${SECRET_WANTED}`);
  }
  return problems;
}

function findExampleSecrets(env: Present): readonly string[] {
  if (env.NODE_ENV !== 'production') return [];
  return ['JWT_SECRET', 'JWT_SECRET_PREVIOUS', 'PLAYBACK_SECRET']
    .filter((name) => env[name] === EXAMPLE_JWT_SECRET)
    .map((name) => `${name} must not be the example value in production`);
}
