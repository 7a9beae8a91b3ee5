import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { z } from 'zod';

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
const MIN_SECRET_BYTES = 32;
/** setTimeout fires at once beyond this */
const MAX_TIMER_MS = 2 ** 31 - 1;
const MAX_TIMER_SECONDS = Math.floor(MAX_TIMER_MS / 1000);

/** far more than any machine has use for, and few enough to be started by mistake */
const MAX_WORKERS = 256;
const WORKERS_WANTED = `must be a whole number from 1 to ${MAX_WORKERS}, or auto`;

const isLongEnough = (secret: string): boolean => Buffer.byteLength(secret) >= MIN_SECRET_BYTES;

const wholeNumber = (min: number, max: number, unit?: string) => {
  const kind = unit === undefined ? 'a whole number' : `a whole number of ${unit}`;
  const wanted = `must be ${kind} from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, wanted)
    .transform(Number)
    .refine((value) => value >= min && value <= max, wanted);
};

const workers = z
  .string()
  .regex(/^(?:auto|\d{1,15})$/, WORKERS_WANTED)
  .transform((value) =>
    value === 'auto' ? Math.min(availableParallelism(), MAX_WORKERS) : Number(value),
  )
  .refine((value) => value >= 1 && value <= MAX_WORKERS, WORKERS_WANTED)
  .transform((value) => (value === 1 ? undefined : value));

const LOUDNESS_WANTED = 'must be a number of LUFS from -40 to -5';

const loudnessTarget = z
  .string()
  .regex(/^-\d{1,2}(?:\.\d{1,2})?$/, LOUDNESS_WANTED)
  .transform(Number)
  .refine((value) => value >= -40 && value <= -5, LOUDNESS_WANTED);

const optionalText = z.string().optional();

const secret = z
  .string(`is required: a random string of at least ${MIN_SECRET_BYTES} bytes`)
  .refine(isLongEnough, `must be at least ${MIN_SECRET_BYTES} bytes long`);

const host = z.string().refine(
  // a name whose last label is a number would be an address, and is none
  (value) => isIP(value) !== 0 || /^(?:[\w-]+\.)*(?=[\w-]*[a-z_])[\w-]+\.?$/i.test(value),
  'must be an IP address or a host name',
);

const redisUrl = z
  .string()
  .refine(
    (value) =>
      value === '' ||
      value.startsWith('/') ||
      (/^rediss?:\/\/./.test(value) && isUrlOf(value, ['redis:', 'rediss:'])),
    'must be a redis:// or rediss:// URL, the absolute path of a socket, or empty for none',
  );

const corsOrigin = z
  .string()
  .transform((value) => value.split(',').map((origin) => origin.trim()))
  .refine(
    (origins) => (origins.length === 1 && origins[0] === '*') || origins.every(isOrigin),
    'must be * or a comma-separated list of origins such as https://player.example.com',
  )
  .transform((origins): '*' | readonly string[] => (origins[0] === '*' ? '*' : origins));

const trustProxy = z
  .string()
  .refine(
    (value) => /^\d{1,2}$/.test(value) || value.split(',').every((part) => isSubnet(part.trim())),
    'must be the number of proxies in front (0 for none) or a comma-separated list of their addresses or CIDR ranges',
  )
  .transform((value): number | readonly string[] =>
    /^\d+$/.test(value) ? Number(value) : value.split(',').map((part) => part.trim()),
  );

/** The variables, in the order of `.env.example` and the README. */
const environment = z
  .object({
    PORT: wholeNumber(0, 65_535).default(3005),
    HOST: host.optional(),
    NODE_ENV: z.string().default('development'),
    JWT_SECRET: secret,
    JWT_SECRET_PREVIOUS: secret.optional(),
    JWT_ISSUER: optionalText,
    JWT_AUDIENCE: optionalText,
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
  })
  .transform((env) => ({
    port: env.PORT,
    host: env.HOST,
    nodeEnv: env.NODE_ENV,
    /** the first signs and verifies, the rest only verify */
    jwtSecrets: [env.JWT_SECRET, ...(env.JWT_SECRET_PREVIOUS ? [env.JWT_SECRET_PREVIOUS] : [])],
    jwtIssuer: env.JWT_ISSUER,
    jwtAudience: env.JWT_AUDIENCE,
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
    ...findExampleSecrets(present),
  ];
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return result.data;
}

/** Apart from the schema, which looks at several variables only when each of them is right. */
function findExampleSecrets(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  if (env.NODE_ENV !== 'production') return [];
  return ['JWT_SECRET', 'JWT_SECRET_PREVIOUS']
    .filter((name) => env[name] === EXAMPLE_JWT_SECRET)
    .map((name) => `${name} must not be the example value in production`);
}

function isUrlOf(value: string, protocols: readonly string[]): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname } = new URL(value);
  return protocols.includes(protocol) && hostname !== '';
}

function isOrigin(value: string): boolean {
  // a pattern would be compared as it stands, and never match
  return (
    isUrlOf(value, ['http:', 'https:']) && new URL(value).origin === value && !value.includes('*')
  );
}

/** A range of all addresses would trust whoever asks. */
function isSubnet(value: string): boolean {
  if (/\/0+$/.test(value)) return false;
  return z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]).safeParse(value).success;
}
