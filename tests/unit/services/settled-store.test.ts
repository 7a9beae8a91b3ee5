import fc from 'fast-check';
import { createSettledStore, type SettledStore } from '../../../src/services/settled-store';
import { type SharedCount, type SharedCounter } from '../../../src/services/shared-counter';
import { type HitCount } from '../../../src/services/window-count';

const WINDOW_MS = 60_000;
/** No hit is kept from the others for longer. */
const SETTLED_WITHIN_MS = 50;
/** As many settlements as may follow each other at once when nobody waits for them. */
const AHEAD = 10;

const stores: SettledStore[] = [];

beforeEach(() => {
  jest.useFakeTimers({ now: 1_700_000_000_000 });
});
afterEach(async () => {
  await shutDown();
  jest.useRealTimers();
});

async function shutDown(): Promise<void> {
  await Promise.all(stores.splice(0).map((store) => store.shutdown()));
}

function createStore(counter: SharedCounter, limit: number): SettledStore {
  const store = createSettledStore({ counter, prefix: 'q:', limit, windowMs: WINDOW_MS });
  stores.push(store);
  return store;
}

/** Counts in memory, and can be away or hold back its replies. */
class FakeCounter implements SharedCounter {
  readonly asked: [key: string, hits: number][] = [];
  readonly windows = new Map<string, { hits: number; endsAt: number }>();
  isAway = false;
  isLosingReplies = false;
  /** what holds back the replies, until called */
  release: (() => void) | undefined;
  private held: Promise<void> | undefined;

  hold(): void {
    this.held = new Promise((resolve) => {
      this.release = () => {
        this.held = undefined;
        resolve();
      };
    });
  }

  async add(key: string, hits: number, windowMs: number): Promise<SharedCount> {
    this.asked.push([key, hits]);
    if (this.isAway) throw new Error('away');
    const reply = this.count(key, hits, windowMs);
    const { isLosingReplies } = this;
    await this.held;
    if (isLosingReplies) throw new Error('lost');
    return reply;
  }

  private count(key: string, hits: number, windowMs: number): SharedCount {
    const now = Date.now();
    let window = this.windows.get(key);
    if (!window || now >= window.endsAt) {
      window = { hits: 0, endsAt: now + windowMs };
      this.windows.set(key, window);
    }
    window.hits += hits;
    return { totalHits: window.hits, endsInMs: window.endsAt - now };
  }
}

/** Lets timers and promises run for a while. */
function pass(ms = 0): Promise<void> {
  return jest.advanceTimersByTimeAsync(ms);
}

async function hit(store: SettledStore, key = 'anna'): Promise<number> {
  const told = store.increment(key);
  await pass();
  return (await told).totalHits;
}

/** Hits that come together, in the order in which they came. */
async function hitTogether(store: SettledStore, count: number, key = 'anna'): Promise<number[]> {
  const told = Promise.all(Array.from({ length: count }, () => store.increment(key)));
  await pass();
  return (await told).map(({ totalHits }) => totalHits);
}

function countFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

describe('createSettledStore()', () => {
  it('asks for the first hit of a key and then decides at once, within a tenth of the limit', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 100);
    expect(store.tryIncrement('anna')).toBeUndefined();
    expect(await hit(store)).toBe(1);

    counter.hold();
    const told = Array.from({ length: 11 }, () => store.tryIncrement('anna'));
    expect(told.map((each) => each?.totalHits)).toEqual([...countFrom(2, 10), undefined]);
    expect(told[0]?.resetTime).toEqual(new Date(Date.now() + WINDOW_MS));
    counter.release?.();
    await pass();
    expect(counter.windows.get('q:anna')?.hits).toBe(11);
  });

  it('counts nothing when it cannot decide at once', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 9);
    for (let i = 1; i <= 12; i += 1) {
      expect(store.tryIncrement('anna')).toBeUndefined();
      expect(await hit(store)).toBe(i);
    }
    expect(counter.windows.get('q:anna')?.hits).toBe(12);
  });

  it('lets hits beyond the allowance wait, and tells each its place', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 100);
    await hit(store);
    counter.windows.get('q:anna')!.hits += 20; // by others
    expect(await hitTogether(store, 25)).toEqual([...countFrom(2, 10), ...countFrom(32, 15)]);
    expect(counter.asked).toEqual([
      ['q:anna', 1],
      ['q:anna', 25],
    ]);
  });

  it('settles hits that come during a settlement with the next one', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 100);
    counter.hold();
    const first = store.increment('anna');
    await pass();
    const others = [store.increment('anna'), store.increment('anna')];
    void store.increment('ben'); // whose settlement does not concern them
    await pass(SETTLED_WITHIN_MS);
    expect(counter.asked).toEqual([
      ['q:anna', 1],
      ['q:ben', 1],
    ]);

    counter.release?.();
    await pass();
    expect(counter.asked.slice(2)).toEqual([['q:anna', 2]]);
    const told = await Promise.all([first, ...others]);
    expect(told.map(({ totalHits }) => totalHits)).toEqual([1, 2, 3]);
  });

  it('counts hits against the allowance until their own reply is there', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 100);
    await hit(store);
    for (let i = 0; i < 6; i += 1) store.tryIncrement('anna');
    counter.hold();
    await pass(SETTLED_WITHIN_MS);
    expect(counter.asked).toContainEqual(['q:anna', 6]);
    for (let i = 0; i < 4; i += 1) expect(store.tryIncrement('anna')).toBeDefined();
    expect(store.tryIncrement('anna')).toBeUndefined();

    counter.release?.();
    await pass();
    expect(store.tryIncrement('anna')?.totalHits).toBe(12);
  });

  it('settles all keys together, one command each, at the end of a turn or 50 ms later', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 1_000);
    const keys = ['anna', 'ben', 'cleo'];
    await Promise.all([...keys.map((key) => store.increment(key)), pass()]);
    counter.asked.length = 0;

    for (let i = 0; i < AHEAD + 1; i += 1) {
      for (const key of keys) store.tryIncrement(key);
      await pass();
    }
    expect(counter.asked).toHaveLength((AHEAD + 1) * keys.length);

    // now it is busy
    counter.asked.length = 0;
    for (let i = 0; i < 10; i += 1) {
      for (const key of keys) store.tryIncrement(key);
      await pass(1);
    }
    expect(counter.asked).toEqual([]);
    await pass(SETTLED_WITHIN_MS - 10);
    expect(counter.asked).toEqual(keys.map((key) => [`q:${key}`, 10]));
  });

  it('settles no more than 20 times a second and once for each tenth, however many hits', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 1_000_000);
    await hit(store);
    for (let ms = 0; ms < 1_000; ms += 1) {
      for (let i = 0; i < 20; i += 1) expect(store.tryIncrement('anna')).toBeDefined();
      await pass(1);
    }
    expect(counter.asked.length).toBeLessThanOrEqual(1 + AHEAD + 1 + 20);
    await pass(SETTLED_WITHIN_MS);
    expect(counter.windows.get('q:anna')?.hits).toBe(20_001);
  });

  it('asks for every hit in the last fifth of the limit', async () => {
    const store = createStore(new FakeCounter(), 100);
    for (let i = 1; i <= 80; i += 1) expect(await hit(store)).toBe(i);
    for (let i = 81; i <= 102; i += 1) {
      expect(store.tryIncrement('anna')).toBeUndefined();
      expect(await hit(store)).toBe(i);
    }
  });
});

describe('a process alone', () => {
  it.each([1, 2, 9, 10, 11, 25, 100, 999, 5_000])(
    'lets exactly %i hits through, of 1,000 at a time',
    async (limit) => {
      const counter = new FakeCounter();
      const store = createStore(counter, limit);
      const told: number[] = [];
      for (let burst = 0; burst < 7; burst += 1) told.push(...(await hitTogether(store, 1_000)));
      expect(told).toEqual(countFrom(1, 7_000));
      await pass(SETTLED_WITHIN_MS);
      expect(counter.windows.get('q:anna')?.hits).toBe(7_000);
    },
  );
});

/** The way of one process to the counter, on which a command and its reply each take their time. */
class SlowWay implements SharedCounter {
  private outward: (() => void) | undefined;
  private homeward: (() => void) | undefined;

  constructor(private readonly counter: SharedCounter) {}

  async add(...args: Parameters<SharedCounter['add']>): Promise<SharedCount> {
    await new Promise<void>((resolve) => (this.outward = resolve));
    const count = await this.counter.add(...args);
    await new Promise<void>((resolve) => (this.homeward = resolve));
    return count;
  }

  arrive(): void {
    this.outward?.();
  }

  reply(): void {
    this.homeward?.();
  }
}

describe('processes that share a counter', () => {
  function createProcesses(count: number, limit: number) {
    const counter = new FakeCounter();
    return Array.from({ length: count }, () => {
      const way = new SlowWay(counter);
      const told: number[] = [];
      const store = createStore(way, limit);
      const enter = (): void => {
        void store.increment('anna').then(({ totalHits }) => told.push(totalHits));
      };
      return { way, told, enter, store };
    });
  }

  async function settleAll(processes: ReturnType<typeof createProcesses>): Promise<void> {
    for (let i = 0; i < 4; i += 1) {
      for (const { way } of processes) way.arrive();
      await pass(SETTLED_WITHIN_MS);
      for (const { way } of processes) way.reply();
      await pass(SETTLED_WITHIN_MS);
    }
  }

  const admittedBy = (processes: ReturnType<typeof createProcesses>, limit: number): number =>
    processes.flatMap(({ told }) => told.filter((totalHits) => totalHits <= limit)).length;

  it('exceed it by a tenth for each but one when the quota is used up within a settlement', async () => {
    const processes = createProcesses(3, 100);
    for (const { enter } of processes) enter();
    await pass();
    await settleAll(processes);
    // two of them keep to themselves what they may, and the third uses up the rest
    const [user, ...keepers] = processes;
    for (const { enter } of keepers) for (let i = 0; i < 10; i += 1) enter();
    await pass();
    for (let i = 0; i < 200; i += 1) user!.enter();
    for (let i = 0; i < 4; i += 1) {
      user!.way.arrive();
      await pass(SETTLED_WITHIN_MS);
      user!.way.reply();
      await pass(SETTLED_WITHIN_MS);
    }
    await settleAll(processes);
    expect(admittedBy(processes, 100)).toBe(120);
  });

  it('never exceed it by more, whatever happens in whatever order', async () => {
    const event = fc.record({
      kind: fc.constantFrom('hits', 'hits', 'hits', 'arrive', 'reply', 'pass'),
      at: fc.nat(2),
      size: fc.integer({ min: 1, max: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom(1, 5, 9, 10, 19, 20, 37, 60),
        fc.array(event, { minLength: 10, maxLength: 80 }),
        async (count, limit, events) => {
          const processes = createProcesses(count, limit);
          let hits = 0;
          for (const { kind, at, size } of events) {
            const { enter, way } = processes[at % count]!;
            if (kind === 'arrive') way.arrive();
            else if (kind === 'reply') way.reply();
            else if (kind === 'pass') await pass(size * 5);
            else for (let i = 0; i < size; i += 1) enter();
            hits += kind === 'hits' ? size : 0;
            await pass();
          }
          await settleAll(processes);
          await shutDown();
          const told = processes.flatMap((each) => each.told);
          expect(told).toHaveLength(hits);
          if (count === 1) expect(told).toEqual(countFrom(1, hits));
          const admitted = admittedBy(processes, limit);
          expect(admitted).toBeGreaterThanOrEqual(Math.min(hits, limit));
          expect(admitted).toBeLessThanOrEqual(limit + (count - 1) * Math.floor(limit / 10));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('when the shared counter is away', () => {
  it('decides from what it has seen and lets nobody wait', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 9);
    expect(await hitTogether(store, 3)).toEqual([1, 2, 3]);
    counter.isAway = true;
    expect(await hit(store)).toBe(4);
    for (let i = 5; i <= 20; i += 1) expect(store.tryIncrement('anna')?.totalHits).toBe(i);
    expect(await hitTogether(store, 5, 'ben')).toEqual([1, 2, 3, 4, 5]);
  });

  it('does not ask without a hit, nor more than 20 times a second with many', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 9);
    counter.isAway = true;
    await hit(store);
    counter.asked.length = 0;
    await pass(10_000);
    expect(counter.asked).toEqual([]);
    for (let ms = 0; ms < 1_000; ms += 1) {
      expect(store.tryIncrement('anna')).toBeDefined();
      await pass(1);
    }
    expect(counter.asked.length).toBeLessThanOrEqual(AHEAD + 1 + 20);
  });

  it('tells everything at once with the next hit of the key when it is back', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 100);
    await hit(store);
    counter.isAway = true;
    for (let i = 2; i <= 30; i += 1) expect(await hit(store)).toBe(i);
    counter.isAway = false;
    counter.asked.length = 0;
    counter.windows.get('q:anna')!.hits += 40; // by others, meanwhile
    expect(store.tryIncrement('anna')?.totalHits).toBe(31);
    await pass(SETTLED_WITHIN_MS);
    expect(counter.asked).toEqual([['q:anna', 30]]);
    expect(await hit(store)).toBe(72);
  });

  it('goes on from its own hits when the counter has forgotten them', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 9);
    expect(await hitTogether(store, 6)).toEqual(countFrom(1, 6));
    await pass(WINDOW_MS / 2);
    counter.windows.clear();
    expect(await hitTogether(store, 2)).toEqual([7, 8]);
    expect(counter.windows.get('q:anna')?.hits).toBe(2);
    // at the end of our window only that of the counter goes on
    await pass(WINDOW_MS / 2);
    expect(await hit(store)).toBe(3);
  });

  it('takes a counter that throws for one that is away', async () => {
    const counter: SharedCounter = {
      add() {
        throw new Error('broken');
      },
    };
    const store = createStore(counter, 9);
    expect(await hitTogether(store, 3)).toEqual([1, 2, 3]);
  });
});

describe('a window', () => {
  it('ends when the shared counter says so', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 100);
    counter.windows.set('q:anna', { hits: 7, endsAt: Date.now() + 1_000 });
    expect(await hit(store)).toBe(8);
    expect(store.tryIncrement('anna')).toEqual({
      totalHits: 9,
      resetTime: new Date(Date.now() + 1_000),
    });
    await pass(999);
    expect(store.tryIncrement('anna')?.totalHits).toBe(10);
    await pass(1);
    expect(store.tryIncrement('anna')).toBeUndefined();
    expect(await hit(store)).toBe(1);
  });

  it('ends its length after the first hit while nothing is heard', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 100);
    counter.isAway = true;
    const begunAt = Date.now();
    expect(await hit(store)).toBe(1);
    await pass(WINDOW_MS - 1);
    const last = store.tryIncrement('anna');
    expect(last).toEqual({ totalHits: 2, resetTime: new Date(begunAt + WINDOW_MS) });
    await pass(1);
    expect(await hit(store)).toBe(1);
  });

  it('takes what is unsettled with it', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 100);
    await hit(store);
    counter.isAway = true;
    await hit(store);
    await pass(WINDOW_MS);
    counter.isAway = false;
    expect(await hit(store)).toBe(1);
    expect(counter.windows.get('q:anna')?.hits).toBe(1);
  });

  it.each([false, true])(
    'learns nothing from a reply to the last one, lost or not (%j)',
    async (isLosingReplies) => {
      const counter = new FakeCounter();
      const store = createStore(counter, 100);
      for (let i = 0; i < 30; i += 1) await hit(store);
      counter.hold();
      counter.isLosingReplies = isLosingReplies;
      store.tryIncrement('anna');
      await pass(WINDOW_MS);
      // of the next window: waits behind the one that is still under way
      const next = store.increment('anna');
      counter.release?.();
      counter.isLosingReplies = false;
      await pass();
      expect((await next).totalHits).toBe(1);
      expect(counter.windows.get('q:anna')?.hits).toBe(1);
    },
  );

  it('counts twice what was counted when only the reply was lost', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 9);
    counter.isLosingReplies = true;
    expect(await hit(store)).toBe(1);
    counter.isLosingReplies = false;
    expect(store.tryIncrement('anna')?.totalHits).toBe(2);
    await pass(SETTLED_WITHIN_MS);
    expect(await hit(store)).toBe(4);
  });

  it('keeps hits that wait over its end, for the next', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 9);
    expect(await hit(store)).toBe(1);
    counter.hold();
    const first = store.increment('anna');
    await pass();
    const second = store.increment('anna');
    await pass(2 * WINDOW_MS);
    const third = store.increment('anna');
    counter.release?.();
    await pass();
    const told = await Promise.all([first, second, third]);
    expect(told.map(({ totalHits }) => totalHits)).toEqual([2, 1, 2]);
    expect(counter.windows.get('q:anna')?.hits).toBe(2);
  });
});

describe('what express-rate-limit asks of a store', () => {
  const totalOf = (told: HitCount | undefined): number | undefined => told?.totalHits;

  it('takes back a hit, and all that is known of a key', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 100);
    await hitTogether(store, 20);
    await store.decrement('anna');
    expect(totalOf(store.tryIncrement('anna'))).toBe(20);
    await store.resetKey('anna');
    expect(totalOf(store.tryIncrement('anna'))).toBe(1);
    await pass(SETTLED_WITHIN_MS);
    expect(counter.windows.get('q:anna')?.hits).toBe(1);
    await store.decrement('unknown');
    await store.resetKey('unknown');
    expect(counter.windows.has('q:unknown')).toBe(false);
  });

  it('tells the others what is unsettled before it goes', async () => {
    const counter = new FakeCounter();
    const store = createStore(counter, 1_000);
    await hit(store);
    counter.hold();
    store.tryIncrement('anna');
    await pass();
    for (let i = 0; i < 5; i += 1) store.tryIncrement('anna');
    const gone = store.shutdown();
    counter.release?.();
    await gone;
    expect(counter.windows.get('q:anna')?.hits).toBe(7);
    expect(jest.getTimerCount()).toBe(0);
  });
});
