import { setTimeout as delay } from 'node:timers/promises';
import { type Options, type Store } from 'express-rate-limit';
import { noRedis } from '../../../src/adapters/redis';
import { createQuotaStore } from '../../../src/services/quota-store';
import { type SharedCount, type SharedCounter } from '../../../src/services/shared-counter';
import { createKeeper } from '../../../src/workers/keeper';

const WINDOW_MS = 60_000;

describe('createQuotaStore() with peers and without Redis', () => {
  const stores: Store[] = [];
  let isAway: boolean;
  let peers: SharedCounter;

  beforeEach(() => {
    const keeper = createKeeper();
    isAway = false;
    peers = {
      add: (key, hits, windowMs) =>
        isAway
          ? Promise.reject(new Error('away'))
          : delay(1, keeper.answer({ kind: 'add', key, hits, windowMs }) as SharedCount),
    };
  });
  afterEach(() => {
    for (const store of stores.splice(0)) void store.shutdown?.();
  });

  const open = (prefix = 'openings:'): Store => {
    const store = createQuotaStore(noRedis, prefix, peers);
    void store.init?.({ windowMs: WINDOW_MS } as Options);
    stores.push(store);
    return store;
  };

  it('counts on where another process stands', async () => {
    const [one, other] = [open(), open()];
    for (let hit = 1; hit <= 6; hit += 2) {
      expect(await one.increment('anna')).toMatchObject({ totalHits: hit });
      expect(await other.increment('anna')).toMatchObject({ totalHits: hit + 1 });
    }
    const { resetTime } = await one.increment('anna');
    expect(resetTime!.getTime() - Date.now()).toBeGreaterThan(WINDOW_MS - 5_000);
    expect(resetTime!.getTime() - Date.now()).toBeLessThanOrEqual(WINDOW_MS);
  });

  it('counts each of several at the same time once', async () => {
    const store = open();
    const counts: Promise<{ totalHits: number }>[] = [];
    for (let hit = 0; hit < 5; hit += 1) {
      counts.push(Promise.resolve(store.increment('anna')));
      await Promise.resolve(); // as requests come: the answer of the peers takes longer
    }
    expect((await Promise.all(counts)).map(({ totalHits }) => totalHits)).toEqual([1, 2, 3, 4, 5]);
  });

  it('keeps kinds of quota apart', async () => {
    await open('openings:').increment('anna');
    expect(await open('continuations:').increment('anna')).toMatchObject({ totalHits: 1 });
  });

  it('counts by itself, from what it has seen, while nobody can be asked', async () => {
    const [one, other] = [open(), open()];
    await one.increment('anna');
    await other.increment('anna');
    isAway = true;
    expect(await one.increment('anna')).toMatchObject({ totalHits: 2 });
  });

  it('takes a hit back for all', async () => {
    const [one, other] = [open(), open()];
    await one.increment('anna');
    await other.increment('anna');
    await one.decrement('anna');
    expect(await other.increment('anna')).toMatchObject({ totalHits: 2 });
  });
});
