import { join } from 'node:path';
import { BENCH_SECRET } from './bench-token';
import { type Peer } from './peer';

export interface ServiceBuild {
  readonly name: string;
  /** folder with the compiled service */
  readonly distDir: string;
  /** beside what every build gets; wins over it */
  readonly env: Readonly<Record<string, string>>;
}

/** As much as the service takes: nothing is to be refused, and everything to be counted. */
const NO_LIMIT = '1000000000';

/** A build of the service with its whole production pipeline. */
export function createService(build: ServiceBuild, authorization: string): Peer {
  const { name, distDir, env } = build;
  const extra = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  return {
    name,
    kind: 'service',
    description: ['the service with everything switched on', ...extra].join(', '),
    authorization,
    readyPath: '/health',
    pathOf: (trackId) => `/api/stream/${encodeURIComponent(trackId)}`,
    metadataPathOf: (trackId) => `/api/stream/${encodeURIComponent(trackId)}/metadata`,
    launch: ({ port, libraryDir, scratchDir, redisSocket }) => ({
      command: process.execPath,
      args: [join(distDir, 'index.js')],
      env: {
        NODE_ENV: 'production',
        HOST: '127.0.0.1',
        PORT: `${port}`,
        JWT_SECRET: BENCH_SECRET,
        AUDIO_FILES_DIR: libraryDir,
        REDIS_URL: redisSocket,
        // what one build has made must not be another's
        CACHE_DIR: join(scratchDir, `cache-${port}`),
        RATE_LIMIT_MAX: NO_LIMIT,
        RATE_LIMIT_SEEK_MAX: NO_LIMIT,
        RATE_LIMIT_AUTH_FAILURES: NO_LIMIT,
        // a build that was copied somewhere finds its packages here
        NODE_PATH: join(__dirname, '../../../node_modules'),
        ...env,
      },
    }),
  };
}
