import { randomBytes } from 'node:crypto';
import { type Redis } from 'ioredis';
import { connectRedis, type RedisGateway } from '../../src/adapters/redis';
import { createLogger } from '../../src/observability/logger';
import { type NewPlayback, type Playbacks } from '../../src/services/playback';
import { createPlaybacks } from '../../src/services/playbacks';

export const PAUSE_MS = 14_400_000;
export const PLAYS_STREAM = 'plays';

/** A replica of the service, as far as playbacks go, with a connection to Redis of its own. */
export interface PlaybackReplica {
  readonly playbacks: Playbacks;
  readonly redis: RedisGateway;
  /** what the operator was told */
  readonly warnings: unknown[];
  close(): Promise<void>;
}

const logger = createLogger({ level: 'error', format: 'json', stream: process.stderr });

/** @param now of its own clock; that of Redis is moved by {@link letTimePass} */
export async function startReplica(
  address: string,
  maxPlaybacks = 0,
  now: () => number = Date.now,
): Promise<PlaybackReplica> {
  const redis = await connectRedis(address, logger);
  const warnings: unknown[] = [];
  const playbacks = createPlaybacks({
    redis,
    maxPlaybacks,
    pauseMs: PAUSE_MS,
    stream: PLAYS_STREAM,
    warn: (_message, reason) => warnings.push(reason),
    now,
  });
  return {
    playbacks,
    redis,
    warnings,
    async close() {
      playbacks.close();
      await redis.close();
    },
  };
}

/** A grant as it is given out now, of a track of four minutes. */
export function newPlayback(subject = 'anna', trackId = 'song.mp3'): NewPlayback {
  const durationSeconds = 240;
  return {
    id: randomBytes(16).toString('base64url'),
    subject,
    trackId,
    durationSeconds,
    signedEndSeconds: Math.ceil((Date.now() + PAUSE_MS) / 1000) + durationSeconds,
  };
}

const TIMES = ['startedAt', 'endsAt', 'latestEnd', 'activeAt', 'playingUntil', 'reportedAt'];

/** Moves all that Redis knows of playbacks into the past, as time does; what is over by then goes. */
export async function letTimePass(client: Redis, ms: number): Promise<void> {
  for (const key of await client.keys('tuneton:playback:*')) {
    for (const field of TIMES) {
      if (Number(await client.hget(key, field)) > 0) await client.hincrby(key, field, -ms);
    }
    await client.pexpire(key, Math.max(0, (await client.pttl(key)) - ms));
  }
  for (const key of await client.keys('tuneton:playing:*')) {
    for (const member of await client.zrange(key, '0', '-1')) {
      await client.zincrby(key, -ms, member);
    }
    await client.pexpire(key, Math.max(0, (await client.pttl(key)) - ms));
  }
}
