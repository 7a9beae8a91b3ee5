import { availableParallelism } from 'node:os';
import express from 'express';
import {
  ConfigError,
  EXAMPLE_JWT_SECRET,
  EXIT_CONFIG,
  parseConfig,
  VARIABLE_NAMES,
  type Config,
} from '../../src/config';

const JWT_SECRET = 'a-secret-for-tests-of-32-bytes-or-more';

function parse(env: Readonly<Record<string, string | undefined>> = {}): Config {
  return parseConfig({ JWT_SECRET, ...env });
}

function problemsOf(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  try {
    parseConfig({ JWT_SECRET, ...env });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).toBe(error.problems.join('\n'));
    return error.problems;
  }
}

describe('parseConfig()', () => {
  it('has a default for all but the secret', () => {
    expect(parse()).toEqual({
      port: 3005,
      host: undefined,
      nodeEnv: 'development',
      jwtSecrets: [JWT_SECRET],
      jwtIssuer: undefined,
      jwtAudience: undefined,
      audioFilesDir: './uploads/audio',
      redisUrl: 'redis://localhost:6379',
      logLevel: 'info',
      logFormat: 'text',
      corsOrigin: '*',
      rateLimit: {
        windowMs: 60_000,
        openingsMax: 300,
        continuationsMax: 6_000,
        authFailuresMax: 60,
      },
      metadataCacheTtlSeconds: 86_400,
      sendTimeoutMs: 60_000,
      drainTimeoutMs: 25_000,
      trustProxy: 0,
      hotCacheBytes: 64_000_000,
      fastLane: true,
      workers: undefined,
      ffmpegPath: undefined,
      transcodeJobs: availableParallelism(),
      cacheDir: './cache',
      cacheMaxBytes: 2_000_000_000,
      loudnessTargetLufs: -14,
      jwtPublicKeys: undefined,
      jwksUrl: undefined,
      jwtRequiredScope: undefined,
      playbackSecret: undefined,
      playbackPauseSeconds: 14_400,
      maxPlaybacksPerSubject: 0,
      playsStream: 'tuneton:plays',
      rescanSeconds: 900,
      playerPage: undefined,
    });
  });

  it.each<[string, string, Partial<Config>]>([
    ['PLAYBACK_SECRET', 'p'.repeat(32), { playbackSecret: 'p'.repeat(32) }],
    ['PLAYBACK_PAUSE_SECONDS', '0', { playbackPauseSeconds: 0 }],
    ['MAX_PLAYBACKS_PER_SUBJECT', '3', { maxPlaybacksPerSubject: 3 }],
    ['PLAYS_STREAM', 'our:plays', { playsStream: 'our:plays' }],
    ['RESCAN_SECONDS', '1', { rescanSeconds: 1 }],
    ['PLAYER_PAGE', 'true', { playerPage: true }],
    ['PLAYER_PAGE', 'false', { playerPage: false }],
  ])('reads %s=%j for players and the catalogue', (name, value, expected) => {
    expect(parse({ [name]: value })).toMatchObject(expected);
  });

  it.each([
    ['PLAYBACK_SECRET', 'short'],
    ['PLAYBACK_PAUSE_SECONDS', '-1'],
    ['MAX_PLAYBACKS_PER_SUBJECT', '1001'],
    ['PLAYS_STREAM', 'two words'],
    ['RESCAN_SECONDS', '0'],
    ['PLAYER_PAGE', 'yes'],
  ])('refuses %s=%s', (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.stringContaining(name)]);
  });

  it.each<[string, string, Partial<Config>]>([
    ['FFMPEG_PATH', '/opt/ffmpeg', { ffmpegPath: '/opt/ffmpeg' }],
    ['TRANSCODE_JOBS', '3', { transcodeJobs: 3 }],
    ['CACHE_DIR', '/var/cache/audio', { cacheDir: '/var/cache/audio' }],
    ['CACHE_MAX_BYTES', '0', { cacheMaxBytes: 0 }],
    ['LOUDNESS_TARGET_LUFS', '-23.5', { loudnessTargetLufs: -23.5 }],
  ])('reads %s for what is made of tracks', (name, value, expected) => {
    expect(parse({ [name]: value })).toMatchObject(expected);
  });

  it.each([
    ['TRANSCODE_JOBS', '0'],
    ['CACHE_MAX_BYTES', '2GB'],
    ['LOUDNESS_TARGET_LUFS', '-4'],
    ['LOUDNESS_TARGET_LUFS', '14'],
  ])('refuses %s=%s', (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.stringContaining(`${name} must be`)]);
  });

  it('divides the conversions among the workers', () => {
    expect(parse({ TRANSCODE_JOBS: '8', WORKERS: '4' }).transcodeJobs).toBe(2);
    expect(parse({ TRANSCODE_JOBS: '2', WORKERS: '4' }).transcodeJobs).toBe(1);
  });

  it.each<[string, string, Partial<Config>]>([
    ['PORT', '0', { port: 0 }],
    ['PORT', '8080', { port: 8080 }],
    ['PORT', '65535', { port: 65_535 }],
    ['HOST', '127.0.0.1', { host: '127.0.0.1' }],
    ['HOST', '::1', { host: '::1' }],
    ['NODE_ENV', 'staging', { nodeEnv: 'staging', logFormat: 'text' }],
    ['NODE_ENV', 'production', { nodeEnv: 'production', logFormat: 'json' }],
    ['NODE_ENV', 'Любое слово', { nodeEnv: 'Любое слово' }],
    ['JWT_SECRET', 'x'.repeat(32), { jwtSecrets: ['x'.repeat(32)] }],
    ['JWT_SECRET', 'ж'.repeat(16), { jwtSecrets: ['ж'.repeat(16)] }],
    ['JWT_SECRET', ` ${'x'.repeat(30)}\n`, { jwtSecrets: [` ${'x'.repeat(30)}\n`] }],
    ['JWT_SECRET_PREVIOUS', 'y'.repeat(32), { jwtSecrets: [JWT_SECRET, 'y'.repeat(32)] }],
    ['JWT_ISSUER', 'https://issuer.example', { jwtIssuer: 'https://issuer.example' }],
    ['JWT_AUDIENCE', 'streaming', { jwtAudience: 'streaming' }],
    ['AUDIO_FILES_DIR', '/srv/music', { audioFilesDir: '/srv/music' }],
    ['AUDIO_FILES_DIR', 'My Music', { audioFilesDir: 'My Music' }],
    ['REDIS_URL', 'redis://redis:6379', { redisUrl: 'redis://redis:6379' }],
    ['REDIS_URL', 'redis://localhost', { redisUrl: 'redis://localhost' }],
    ['REDIS_URL', 'redis://:secret@redis:6379/2', { redisUrl: 'redis://:secret@redis:6379/2' }],
    ['REDIS_URL', 'redis://user:p%40ss@redis', { redisUrl: 'redis://user:p%40ss@redis' }],
    ['REDIS_URL', 'redis://[::1]:6379', { redisUrl: 'redis://[::1]:6379' }],
    ['REDIS_URL', 'rediss://redis.example:6380', { redisUrl: 'rediss://redis.example:6380' }],
    ['REDIS_URL', '/run/redis/redis.sock', { redisUrl: '/run/redis/redis.sock' }],
    ['REDIS_URL', '', { redisUrl: undefined }],
    ['LOG_LEVEL', 'silly', { logLevel: 'silly' }],
    ['LOG_LEVEL', 'http', { logLevel: 'http' }],
    ['LOG_FORMAT', 'json', { logFormat: 'json' }],
    ['CORS_ORIGIN', '*', { corsOrigin: '*' }],
    ['CORS_ORIGIN', 'https://a.example', { corsOrigin: ['https://a.example'] }],
    [
      'CORS_ORIGIN',
      'https://a.example, http://localhost:8080',
      { corsOrigin: ['https://a.example', 'http://localhost:8080'] },
    ],
    ['METADATA_CACHE_TTL_SECONDS', '1', { metadataCacheTtlSeconds: 1 }],
    ['SEND_TIMEOUT_SECONDS', '0', { sendTimeoutMs: 0 }],
    ['SEND_TIMEOUT_SECONDS', '5', { sendTimeoutMs: 5_000 }],
    ['DRAIN_TIMEOUT_SECONDS', '0', { drainTimeoutMs: 0 }],
    ['TRUST_PROXY', '0', { trustProxy: 0 }],
    ['TRUST_PROXY', '2', { trustProxy: 2 }],
    ['TRUST_PROXY', '10.0.0.0/8', { trustProxy: ['10.0.0.0/8'] }],
    ['TRUST_PROXY', '10.0.0.1', { trustProxy: ['10.0.0.1'] }],
    ['TRUST_PROXY', '::1, fd00::/8', { trustProxy: ['::1', 'fd00::/8'] }],
    ['TRUST_PROXY', '127.0.0.1,10.0.0.0/8', { trustProxy: ['127.0.0.1', '10.0.0.0/8'] }],
  ])('reads %s=%j', (name, value, expected) => {
    expect(parse({ [name]: value })).toEqual({ ...parse(), ...expected });
  });

  it.each<[string, string, Partial<Config['rateLimit']>]>([
    ['RATE_LIMIT_WINDOW_MS', '1000', { windowMs: 1_000 }],
    ['RATE_LIMIT_MAX', '10', { openingsMax: 10, continuationsMax: 200 }],
    ['RATE_LIMIT_SEEK_MAX', '7', { continuationsMax: 7 }],
    ['RATE_LIMIT_AUTH_FAILURES', '1', { authFailuresMax: 1 }],
  ])('reads %s=%j', (name, value, expected) => {
    expect(parse({ [name]: value }).rateLimit).toEqual({ ...parse().rateLimit, ...expected });
  });

  it('lets LOG_FORMAT decide whatever NODE_ENV says', () => {
    expect(parse({ NODE_ENV: 'production', LOG_FORMAT: 'text' }).logFormat).toBe('text');
    expect(parse({ NODE_ENV: 'development', LOG_FORMAT: 'json' }).logFormat).toBe('json');
  });

  it.each(VARIABLE_NAMES.filter((name) => name !== 'REDIS_URL' && name !== 'JWT_SECRET'))(
    'takes an empty %s for an absent one',
    (name) => {
      expect(parse({ [name]: '' })).toEqual(parse());
      expect(parse({ [name]: undefined })).toEqual(parse());
    },
  );

  it('ignores variables that are not its own', () => {
    expect(parse({ PATH: '/bin', port: '1', JWT_SECRETS: 'x', __proto__: 'y' })).toEqual(parse());
  });

  it('reads no variable that only a prototype has', () => {
    const env = Object.assign(Object.create({ PORT: 'not-a-port' }) as object, { JWT_SECRET });
    expect(() => parseConfig({ ...env })).not.toThrow();
  });

  const numbers = [
    'PORT',
    'RATE_LIMIT_WINDOW_MS',
    'RATE_LIMIT_MAX',
    'RATE_LIMIT_SEEK_MAX',
    'RATE_LIMIT_AUTH_FAILURES',
    'METADATA_CACHE_TTL_SECONDS',
    'SEND_TIMEOUT_SECONDS',
    'DRAIN_TIMEOUT_SECONDS',
  ];
  const noNumbers = [
    ...['bad-word', '-1', '+1', '1.5', '1e3', '0x10', ' 5', '5 ', '5s', '1_000', '1,000', 'NaN'],
    ...['Infinity', '99999999999', '9'.repeat(15), '9'.repeat(16), '9'.repeat(400), '٣', '５', ' '],
  ];
  const noSubnets = [
    ...['true', 'false', 'TRUE', 'yes', 'all', '*', 'loopback', 'uniquelocal', '-1', '1.5', '100'],
    ...['1,2', '1, 10.0.0.0/8', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/', '10.0.0', '10.0.0.256'],
    ...['010.0.0.1', '10.0.0.1,', ',10.0.0.1', 'fd00::/129', 'fd00:::1', 'proxy.example', ' '],
    // Express refuses a range of everything, and it would be as bad as true
    ...['0.0.0.0/0', '::/0', '10.0.0.0/0', '10.0.0.0/8,0.0.0.0/0'],
    ...['10.0.0.0/8,true', '10.0.0.0/255.0.0.0'],
  ];
  const noRedis = [
    ...['localhost', 'localhost:6379', 'http://redis:6379', 'unix:///run/redis.sock', 'redis', ' '],
    ...['run/redis.sock', './redis.sock', 'redis:', 'redis:localhost:6379', 'rediss:6379'],
    ...['redis://redis:port', 'redis://redis:99999', '//redis:6379x y', 'javascript:alert(1)'],
  ].filter((value) => !value.startsWith('/'));
  const noOrigins = [
    ...['a.example', 'https://a.example/', 'https://a.example/path', 'https://a.example?x', 'null'],
    ...['https://*.example', 'ftp://a.example', 'https://a.example,', 'https://a.example,*', '*,*'],
    ...['*,https://a.example', 'https://user@a.example', 'https://a.example:443', ' ', ','],
    ...['HTTPS://a.example', 'https://A.example', 'https://a.example https://b.example', 'true'],
    ...['file://', 'javascript:x'],
  ];

  it.each<[string, string]>([
    ...numbers.flatMap((name) => noNumbers.map((value): [string, string] => [name, value])),
    ['PORT', '65536'],
    ['RATE_LIMIT_WINDOW_MS', '0'],
    ['RATE_LIMIT_WINDOW_MS', '999'],
    ['RATE_LIMIT_WINDOW_MS', '2147483648'],
    ['RATE_LIMIT_MAX', '0'],
    ['RATE_LIMIT_SEEK_MAX', '0'],
    ['RATE_LIMIT_AUTH_FAILURES', '0'],
    ['METADATA_CACHE_TTL_SECONDS', '0'],
    ['SEND_TIMEOUT_SECONDS', '2147484'],
    ['DRAIN_TIMEOUT_SECONDS', '2147484'],
    ['JWT_SECRET', 'x'.repeat(31)],
    ['JWT_SECRET', 'short-value'],
    ['JWT_SECRET_PREVIOUS', 'x'.repeat(31)],
    ['JWT_SECRET_PREVIOUS', 'short-value'],
    ...['INFO', 'warning', 'trace', 'none', ' info', '0', 'bad-word'].map(
      (value): [string, string] => ['LOG_LEVEL', value],
    ),
    ...['JSON', 'pretty', 'txt', 'bad-word'].map((value): [string, string] => [
      'LOG_FORMAT',
      value,
    ]),
    ...noSubnets.map((value): [string, string] => ['TRUST_PROXY', value]),
    ...noRedis.map((value): [string, string] => ['REDIS_URL', value]),
    ...noOrigins.map((value): [string, string] => ['CORS_ORIGIN', value]),
  ])('refuses %s=%j in one line that names it and what is wanted', (name, value) => {
    const problems = problemsOf({ [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name} (must|is required)[^\\n]{5,}$`));
  });

  it.each(VARIABLE_NAMES.filter((name) => !['HOST', 'NODE_ENV', 'AUDIO_FILES_DIR'].includes(name)))(
    'never shows the value of %s',
    (name) => {
      const value = 'hunter2~é';
      expect(problemsOf({ [name]: value }).join('\n')).not.toContain('hunter2');
    },
  );

  it('never shows a secret beside another problem', () => {
    const [problem] = problemsOf({ PORT: 'x' });
    expect(problem).not.toContain(JWT_SECRET);
  });

  it.each([undefined, ''])('asks for JWT_SECRET when it is %j', (value) => {
    expect(problemsOf({ JWT_SECRET: value })).toEqual([
      'JWT_SECRET is required: a random string of at least 32 bytes',
    ]);
  });

  it('names all that is wrong at once, one line each, in the order of the documentation', () => {
    const bad = {
      TRUST_PROXY: 'true',
      SEND_TIMEOUT_SECONDS: '-1',
      CORS_ORIGIN: 'x',
      LOG_FORMAT: 'x',
      LOG_LEVEL: 'x',
      REDIS_URL: 'x',
      JWT_SECRET_PREVIOUS: 'x',
      JWT_SECRET: 'x',
      PORT: 'x',
    };
    const names = problemsOf(bad).map((problem) => problem.split(' ', 1)[0]);
    expect(names).toEqual(Object.keys(bad).reverse());
  });

  describe('the example secret', () => {
    it.each([undefined, 'development', 'test', 'Production', 'prod'])(
      'is good enough where NODE_ENV is %j',
      (nodeEnv) => {
        const env = { JWT_SECRET: EXAMPLE_JWT_SECRET, NODE_ENV: nodeEnv };
        expect(problemsOf(env)).toEqual([]);
      },
    );

    it('is refused in production', () => {
      const env = { JWT_SECRET: EXAMPLE_JWT_SECRET, NODE_ENV: 'production' };
      expect(problemsOf(env)).toEqual(['JWT_SECRET must not be the example value in production']);
    });

    it('is refused in production together with all else that is wrong', () => {
      const env = { JWT_SECRET: EXAMPLE_JWT_SECRET, NODE_ENV: 'production', PORT: 'x' };
      const names = problemsOf(env).map((problem) => problem.split(' ', 1)[0]);
      expect(names.sort()).toEqual(['JWT_SECRET', 'PORT']);
    });

    it('is refused in production as the previous secret too: it verifies just as well', () => {
      const env = { JWT_SECRET_PREVIOUS: EXAMPLE_JWT_SECRET, NODE_ENV: 'production' };
      expect(problemsOf(env)).toHaveLength(1);
      expect(problemsOf(env)[0]).toMatch(/^JWT_SECRET_PREVIOUS /);
    });
  });

  it.each([
    '0',
    '1',
    '99',
    '127.0.0.1',
    '10.0.0.0/8',
    '10.0.0.1/32',
    '10.1.2.3/1',
    '::/1',
    '::1/128',
    '::ffff:10.0.0.1',
    '::ffff:10.0.0.0/104',
    'fe80::/10',
  ])('accepts for TRUST_PROXY only what Express accepts: %s', (value) => {
    const { trustProxy } = parse({ TRUST_PROXY: value });
    const wanted = typeof trustProxy === 'number' ? trustProxy : [...trustProxy];
    expect(() => express().set('trust proxy', wanted)).not.toThrow();
  });
});

describe('EXIT_CONFIG', () => {
  it('is EX_CONFIG of sysexits.h', () => {
    expect(EXIT_CONFIG).toBe(78);
  });
});
