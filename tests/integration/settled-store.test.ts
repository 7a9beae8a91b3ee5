import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { connectRedis, type RedisGateway } from '../../src/adapters/redis';
import { createLogger } from '../../src/observability/logger';
import { createQuotaStore } from '../../src/services/quota-store';
import { createRedisCounter } from '../../src/services/redis-counter';
import { createSettledStore, type SettledStore } from '../../src/services/settled-store';
import { startRedis, stopRedis } from '../support/redis-process';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

const WINDOW_MS = 60_000;
const logger = createLogger({ level: 'error', format: 'json', stream: process.stderr });

const client = new Redis(process.env.TEST_REDIS_URL ?? '');
const gateways: RedisGateway[] = [];
const stores: SettledStore[] = [];

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.shutdown()));
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
  await stopRedis();
});
afterAll(() => {
  client.disconnect();
  removeTempFolders();
});

async function connect(address = process.env.TEST_REDIS_URL ?? ''): Promise<RedisGateway> {
  const gateway = await connectRedis(address, logger);
  gateways.push(gateway);
  // a slow machine takes longer than the service would wait for it
  await until(() => gateway.isUp(), 'redis is in use');
  return gateway;
}

/** The store of one process, with a connection of its own. */
function createStore(redis: RedisGateway, limit: number, now = Date.now): SettledStore {
  const counter = createRedisCounter(redis);
  const store = createSettledStore({ counter, prefix: 'test:', limit, windowMs: WINDOW_MS, now });
  stores.push(store);
  return store;
}

async function createStores(count: number, limit: number): Promise<SettledStore[]> {
  const redis = await Promise.all(Array.from({ length: count }, () => connect()));
  return redis.map((gateway) => createStore(gateway, limit));
}

/** Hits from several sides at once until each store has had its share; returns what was told. */
async function hammer(store: SettledStore, key: string, hits: number): Promise<number[]> {
  const told: number[] = [];
  const side = async (index: number): Promise<void> => {
    for (let i = 0; i < hits / 8; i += 1) {
      told.push((await store.increment(key)).totalHits);
      if (i % (index + 1) === 0) await nextTurn(); // not in step
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, index) => side(index)));
  return told;
}

async function hitsOf(store: SettledStore, key: string, count: number): Promise<number[]> {
  const told: number[] = [];
  for (let i = 0; i < count; i += 1) told.push((await store.increment(key)).totalHits);
  return told;
}

describe('a quota settled in Redis in batches', () => {
  it.each([
    [1, 5],
    [1, 100],
    [1, 1_000],
    [3, 1],
    [3, 5],
    [3, 9],
    [2, 10],
    [3, 25],
    [2, 100],
    [4, 300],
    [3, 2_000],
  ])(
    'lets %i processes exceed a limit of %i by a tenth for each but one at the most',
    async (processes, limit) => {
      const key = randomUUID();
      const all = await createStores(processes, limit);
      const share = 2 * Math.max(limit, 16);
      const told = (await Promise.all(all.map((store) => hammer(store, key, share)))).flat();

      const admitted = told.filter((totalHits) => totalHits <= limit).length;
      const exceededBy = (processes - 1) * Math.floor(limit / 10);
      expect(admitted).toBeGreaterThanOrEqual(limit);
      expect(admitted).toBeLessThanOrEqual(limit + exceededBy);
      await Promise.all(all.map((store) => store.shutdown()));
      expect(Number(await client.get(`test:${key}`))).toBe(told.length);
    },
  );

  it('is exact in one process under 1,000 hits at once', async () => {
    const [store] = await createStores(1, 300);
    const key = randomUUID();
    const told = await Promise.all(Array.from({ length: 1_000 }, () => store!.increment(key)));
    expect(told.map(({ totalHits }) => totalHits)).toEqual(told.map((_, i) => i + 1));
  });

  it('needs a command for a batch, not for a hit', async () => {
    const redis = await connect();
    let commands = 0;
    const counted: RedisGateway = {
      ...redis,
      run: (command) => {
        commands += 1;
        return redis.run(command);
      },
    };
    const store = createStore(counted, 1_000_000);
    const key = randomUUID();
    await hitsOf(store, key, 10_000);
    await store.shutdown();
    expect(Number(await client.get(`test:${key}`))).toBe(10_000);
    expect(commands).toBeLessThan(100);
  });

  it('counts together with the store that asks for each hit', async () => {
    const redis = await connect();
    const key = randomUUID();
    const exact = createQuotaStore(redis, 'test:');
    void exact.init?.({ windowMs: WINDOW_MS } as Parameters<NonNullable<typeof exact.init>>[0]);
    expect(await exact.increment(key)).toMatchObject({ totalHits: 1 });
    expect(await hitsOf(createStore(redis, 9), key, 2)).toEqual([2, 3]);
    expect(await exact.increment(key)).toMatchObject({ totalHits: 4 });
    void exact.shutdown?.();
  });

  it('takes the end of the window from Redis, and gives one to a key without', async () => {
    const redis = await connect();
    const [key, endless] = [randomUUID(), randomUUID()];
    await client.set(`test:${key}`, 4, 'PX', 5_000);
    await client.set(`test:${endless}`, 4);
    const store = createStore(redis, 100);
    const told = await store.increment(key);
    expect(told.totalHits).toBe(5);
    expect(told.resetTime.getTime()).toBeGreaterThan(Date.now() + 1_000);
    expect(told.resetTime.getTime()).toBeLessThanOrEqual(Date.now() + 5_000);
    expect(await client.pttl(`test:${key}`)).toBeLessThanOrEqual(5_000);
    await store.increment(endless);
    expect(await client.pttl(`test:${endless}`)).toBeGreaterThan(5_000);
  });

  it('begins anew when the window is over', async () => {
    let now = Date.now();
    const store = createStore(await connect(), 20, () => now);
    const key = randomUUID();
    expect(await hitsOf(store, key, 18)).toEqual(Array.from({ length: 18 }, (_, i) => i + 1));
    await store.shutdown();
    expect(Number(await client.get(`test:${key}`))).toBe(18);
    // a minute for both, one of whose clocks cannot be moved
    await client.pexpire(`test:${key}`, 0);
    now += WINDOW_MS;
    expect(await hitsOf(store, key, 2)).toEqual([1, 2]);
  });

  it.each(['LPUSH', 'SET'])('decides alone over a foreign value (%s)', async (command) => {
    const redis = await connect();
    const store = createStore(redis, 5);
    const key = randomUUID();
    await client.call(command, `test:${key}`, 'not a number');
    expect(await hitsOf(store, key, 6)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(redis.isUp()).toBe(true);
  });

  it('keeps count while Redis is gone and tells it of everything when it is back', async () => {
    const address = join(createTempFolder(), 'redis.sock');
    const mortal = await startRedis(address);
    const redis = await connect(address);
    const store = createStore(redis, 9);
    expect(await hitsOf(store, 'anna', 3)).toEqual([1, 2, 3]);

    await mortal.signal('SIGKILL');
    await until(() => !redis.isUp(), 'redis is missed');
    expect(await hitsOf(store, 'anna', 5)).toEqual([4, 5, 6, 7, 8]);

    const reborn = await startRedis(address);
    await until(() => redis.isUp(), 'redis is in use again');
    // with what it had before gone, ours are not forgiven
    expect(await hitsOf(store, 'anna', 1)).toEqual([9]);
    await until(async () => Number(await reborn.client.get('test:anna')) >= 6, 'it was told');
    expect(await hitsOf(createStore(redis, 9), 'anna', 1)).toEqual([7]);
    expect(await hitsOf(store, 'anna', 1)).toEqual([10]);
    reborn.client.disconnect();
  });

  it('lets nobody wait longer than for the first failure when Redis freezes', async () => {
    const address = join(createTempFolder(), 'redis.sock');
    const mortal = await startRedis(address);
    const redis = await connect(address);
    const store = createStore(redis, 100);
    await hitsOf(store, 'anna', 3);
    await mortal.signal('SIGSTOP');
    expect(await hitsOf(store, 'anna', 40)).toEqual(Array.from({ length: 40 }, (_, i) => i + 4));
    expect(redis.isUp()).toBe(false);
    expect(store.tryIncrement('anna')?.totalHits).toBe(44);
    await mortal.signal('SIGCONT');
    mortal.client.disconnect();
  });
});
