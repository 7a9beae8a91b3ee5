import { join } from 'node:path';
import { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { type Lifetime } from './lifetime';
import { LOAD_CORE } from './machine';

/** The Redis of a run: beside the load, on a socket, in memory alone. */
export interface BenchRedis {
  readonly socket: string;
  /** to look into it with */
  readonly client: Redis;
  close(): void;
}

const START_TIMEOUT_MS = 10_000;
const POLL_INTERVAL_MS = 20;

export async function startRedis(lifetime: Lifetime, scratchDir: string): Promise<BenchRedis> {
  const socket = join(scratchDir, 'redis.sock');
  await lifetime.start({
    core: LOAD_CORE,
    command: 'redis-server',
    args: ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no'],
    cwd: scratchDir,
    outputFile: join(scratchDir, 'redis.log'),
  });
  const client = new Redis({ path: socket, lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => undefined);
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (client.status !== 'ready') {
    if (performance.now() > deadline) throw new Error('redis-server did not start');
    await delay(POLL_INTERVAL_MS);
    await client.connect().catch(() => undefined);
  }
  return {
    socket,
    client,
    close: () => {
      client.disconnect();
    },
  };
}
