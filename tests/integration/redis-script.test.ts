import { join } from 'node:path';
import { connectRedis, type RedisGateway } from '../../src/adapters/redis';
import { createLogger } from '../../src/observability/logger';
import { createAdmissions, type Admissions } from '../../src/services/admissions';
import { createRedisScript } from '../../src/services/redis-script';
import { startRedis, stopRedis, type RedisProcess } from '../support/redis-process';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

const logger = createLogger({ level: 'error', format: 'json', stream: process.stderr });

let address: string;
let server: RedisProcess;
let redis: RedisGateway;

beforeEach(async () => {
  address = join(createTempFolder(), 'redis.sock');
  server = await startRedis(address);
  redis = await connectRedis(address, logger);
  // a slow machine takes longer than the service would wait for it
  await until(() => redis.isUp(), 'redis is in use');
  await server.client.config('RESETSTAT');
});
afterEach(async () => {
  await redis.close();
  server.client.disconnect();
  await stopRedis();
});
afterAll(removeTempFolders);

/** How often Redis has run the command since it was started. */
async function callsOf(command: string): Promise<number> {
  const stats = await server.client.info('commandstats');
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
}

async function restart(): Promise<void> {
  await server.signal('SIGKILL');
  await until(() => !redis.isUp(), 'redis is missed');
  server = await startRedis(address);
  await until(() => redis.isUp(), 'redis is in use again');
}

describe('createRedisScript()', () => {
  const append = createRedisScript(`return redis.call('APPEND', KEYS[1], ARGV[1])`);
  const run = (key: string, text: string): Promise<unknown> =>
    redis.run((client) => append.run(client, [key], [text]));

  it('is sent whole once, then by its digest, and run once each time', async () => {
    expect([await run('a', 'xy'), await run('a', 'z'), await run('b', 'z')]).toEqual([2, 3, 1]);
    expect(await callsOf('eval')).toBe(1);
    expect(await callsOf('evalsha')).toBe(3);
  });

  it('is sent whole again when Redis has forgotten it', async () => {
    await run('a', 'x');
    await server.client.script('FLUSH');
    expect(await run('a', 'x')).toBe(2);
    expect(await callsOf('eval')).toBe(2);
  });

  it('is sent whole again after a restart of Redis', async () => {
    await run('a', 'x');
    await restart();
    expect(await run('a', 'x')).toBe(1);
    expect(redis.isUp()).toBe(true);
  });

  it('passes a failure of the script on, and runs it no second time', async () => {
    await server.client.rpush('a', 'a list');
    await expect(run('a', 'x')).rejects.toThrow(/WRONGTYPE/); // by EVAL
    await expect(run('a', 'x')).rejects.toThrow(/WRONGTYPE/); // by EVALSHA
    expect(await callsOf('append')).toBe(2);
    expect(redis.isUp()).toBe(true);
  });
});

describe('createAdmissions() with Redis', () => {
  const startProcess = (): Admissions => createAdmissions({ redis, ttlMs: 60_000 });

  it('knows of another process whom it has admitted, in one command by digest', async () => {
    await startProcess().admit('anna', 'song');
    expect(await startProcess().renew('anna', 'song')).toBe(true);
    expect(await startProcess().renew('anna', 'another')).toBe(false);
    expect(await startProcess().renew('otto', 'song')).toBe(false);
    expect(await callsOf('evalsha')).toBe(4);
    expect(await callsOf('eval')).toBe(1);
  });

  it('admits on when Redis has been started anew, and knows nothing', async () => {
    await startProcess().admit('anna', 'song');
    await restart();
    expect(await startProcess().renew('anna', 'song')).toBe(false);
    await startProcess().admit('anna', 'song');
    expect(await startProcess().renew('anna', 'song')).toBe(true);
  });

  it('says no, and fails nothing, while Redis is away', async () => {
    await startProcess().admit('anna', 'song');
    await server.signal('SIGKILL');
    await until(() => !redis.isUp(), 'redis is missed');
    expect(await startProcess().renew('anna', 'song')).toBe(false);
    const own = startProcess();
    await own.admit('anna', 'song');
    expect(await own.renew('anna', 'song')).toBe(true);
  });
});
