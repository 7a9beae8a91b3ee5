import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { until } from './until';

/** A Redis of a suite's own that it may stop, freeze and empty. */
export interface RedisProcess {
  /** a client to look into it with */
  readonly client: Redis;
  /** `SIGKILL`: gone without a word; `SIGSTOP`: there but mute, until `SIGCONT` */
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
}

const running = new Set<ChildProcess>();

/** @returns a port on which nothing listens at the moment */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** @param address a port of 127.0.0.1, or the path of a socket */
export async function startRedis(address: number | string): Promise<RedisProcess> {
  const where =
    typeof address === 'number'
      ? ['--bind', '127.0.0.1', '--port', `${address}`]
      : ['--port', '0', '--unixsocket', address];
  const child = spawn('redis-server', [...where, '--save', '', '--appendonly', 'no'], {
    stdio: 'ignore',
  });
  running.add(child);
  child.once('close', () => running.delete(child));
  const client = new Redis({
    ...(typeof address === 'number' ? { port: address, host: '127.0.0.1' } : { path: address }),
    lazyConnect: true,
    retryStrategy: () => null,
  });
  client.on('error', () => undefined);
  await until(
    () =>
      client.connect().then(
        () => true,
        () => false,
      ),
    'redis-server answers',
  );
  return {
    client,
    async signal(name) {
      const closed = once(child, 'close');
      child.kill(name);
      if (name === 'SIGKILL') {
        client.disconnect();
        await closed;
      }
    },
  };
}

/** Ends every Redis that this test file has started. */
export async function stopRedis(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    }),
  );
}
