import { join } from 'node:path';
import { BENCH_SECRET } from './bench-token';
import { READY_TRACK_ID, type LaunchContext, type Peer } from './peer';

/** express.static and nothing else. */
export function createExpressStatic(authorization: string): Peer {
  return {
    name: 'express-static',
    kind: 'node',
    description: 'express.static (send); no authentication, no limit, no log',
    authorization,
    readyPath: `/${READY_TRACK_ID}.mp3`,
    pathOf: (trackId) => `/${encodeURIComponent(trackId)}.mp3`,
    launch: (context) => launchProgram('express-static', context),
  };
}

/** @fastify/static and nothing else. */
export function createFastifyStatic(authorization: string): Peer {
  return {
    name: 'fastify-static',
    kind: 'node',
    description: '@fastify/static; no authentication, no limit, no log',
    authorization,
    readyPath: `/${READY_TRACK_ID}.mp3`,
    pathOf: (trackId) => `/${encodeURIComponent(trackId)}.mp3`,
    launch: (context) => launchProgram('fastify-static', context),
  };
}

/** The packages of the trade, put together plainly: what one would write in an afternoon. */
export function createClassicStack(authorization: string): Peer {
  return {
    name: 'classic',
    kind: 'classic',
    description:
      'helmet + cors + winston + jsonwebtoken + express-rate-limit with rate-limit-redis + express.static',
    authorization,
    readyPath: `/api/stream/${READY_TRACK_ID}.mp3`,
    pathOf: (trackId) => `/api/stream/${encodeURIComponent(trackId)}.mp3`,
    metadataPathOf: (trackId) => `/api/metadata/${encodeURIComponent(trackId)}`,
    launch: (context) => launchProgram('classic-stack', context),
  };
}

function launchProgram(
  program: string,
  { port, libraryDir, redisSocket }: LaunchContext,
): ReturnType<Peer['launch']> {
  return {
    command: process.execPath,
    args: [join(__dirname, 'programs', `${program}.js`)],
    env: {
      NODE_ENV: 'production',
      PORT: `${port}`,
      LIBRARY_DIR: libraryDir,
      REDIS_SOCKET: redisSocket,
      JWT_SECRET: BENCH_SECRET,
    },
  };
}
