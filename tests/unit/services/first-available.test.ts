import { createKeeper } from '../../../src/workers/keeper';
import { firstAvailable } from '../../../src/services/first-available';
import { type SharedCount, type SharedCounter } from '../../../src/services/shared-counter';

const WINDOW_MS = 60_000;

/** A counter that can be away. */
function createCounter(): SharedCounter & { isAway: boolean } {
  const keeper = createKeeper({ now: () => 1 });
  return {
    isAway: false,
    add(key, hits, windowMs) {
      if (this.isAway) return Promise.reject(new Error('away'));
      return Promise.resolve(keeper.answer({ kind: 'add', key, hits, windowMs }) as SharedCount);
    },
  };
}

describe('firstAvailable()', () => {
  const first = createCounter();
  const second = createCounter();
  const counter = firstAvailable(first, second);
  let keys = 0;
  let key: string;
  const add = async (hits = 1): Promise<number> =>
    (await counter.add(key, hits, WINDOW_MS)).totalHits;

  beforeEach(() => {
    first.isAway = false;
    second.isAway = false;
    key = `key-${(keys += 1)}`;
  });

  it('answers what the first says', async () => {
    await first.add(key, 10, WINDOW_MS);
    expect(await counter.add(key, 2, WINDOW_MS)).toEqual({ totalHits: 12, endsInMs: WINDOW_MS });
  });

  it('goes on from what this machine has seen when the first leaves', async () => {
    await first.add(key, 100, WINDOW_MS); // by another machine
    await add(5);
    first.isAway = true;
    expect(await add(2)).toBe(7);
  });

  it('forgives nothing when the first comes back', async () => {
    await add(5);
    first.isAway = true;
    await add(20);
    first.isAway = false;
    expect(await add()).toBe(26);
  });

  it('needs only one of them', async () => {
    second.isAway = true;
    expect(await add(3)).toBe(3);
  });

  it('rejects when neither can be reached', async () => {
    first.isAway = true;
    second.isAway = true;
    await expect(add()).rejects.toThrow('away');
  });

  it('asks both at the same time', async () => {
    const asked: string[] = [];
    const silent = (name: string): SharedCounter => ({
      add() {
        asked.push(name);
        return new Promise(() => undefined);
      },
    });
    void firstAvailable(silent('first'), silent('second')).add('key', 1, WINDOW_MS);
    await Promise.resolve();
    expect(asked).toEqual(['first', 'second']);
  });
});
