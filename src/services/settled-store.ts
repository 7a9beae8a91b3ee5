import { type Store } from 'express-rate-limit';
import { createSettlements, type Entry } from './settlements';
import { type SharedCounter } from './shared-counter';
import {
  beginWindow,
  countOwn,
  createWindowCount,
  knownTotal,
  tellTotal,
  type HitCount,
  type WindowCount,
} from './window-count';

/** A store of express-rate-limit that can also be asked without waiting. */
export interface SettledStore extends Store {
  increment(key: string): Promise<HitCount>;
  /**
   * Counts a hit that can be decided here and now.
   *
   * @returns undefined, and counts nothing, when the hit has to wait: ask `increment`. What is
   *   told may exceed the limit, while the shared counter cannot be reached
   */
  tryIncrement(key: string): HitCount | undefined;
  /** Settles what is not settled yet. */
  shutdown(): Promise<void>;
}

export interface SettledStoreOptions {
  readonly counter: SharedCounter;
  /** of the keys; one for each kind of quota */
  readonly prefix: string;
  readonly limit: number;
  /** at most 2^31 - 1: the longest timer there is */
  readonly windowMs: number;
  /** milliseconds since 1970 */
  readonly now?: () => number;
}

/** A limit is divided into so many; a process keeps one of them to itself before the others hear of it. */
const ALLOWANCES = 10;
/** The last so many are not touched without asking: processes that settle in time stay exact. */
const RESERVE = 2;

/**
 * Decides hits here and settles them with a shared counter in batches, so that most requests do
 * not wait for it.
 *
 * How exact: a process alone lets exactly `limit` hits through. P processes let through at most
 * (P - 1) x floor(limit / 10) more in a window, as each keeps at most that many hits to itself. To
 * get there the last fifth of the limit must be used up within one settlement, about 50 ms: in it
 * every hit waits for the shared total. The first of a window waits as well, as nothing is known
 * of the key before. Limits below 10 are always exact.
 *
 * While the shared counter cannot be reached nobody waits: each process decides from what it has
 * seen, and tells of it with the next hit of the key once the counter is back within the window.
 */
export function createSettledStore(options: SettledStoreOptions): SettledStore {
  const { counter, prefix, limit, windowMs, now = Date.now } = options;
  const allowance = Math.floor(limit / ALLOWANCES);
  const settlements = createSettlements({ counter, windowMs, now });
  const entries = new Map<string, Entry>();

  // bounds memory: about 420 bytes for each subject that was here in this window or the last
  const sweep = setInterval(() => {
    const time = now();
    for (const [key, { count, isSettling, waiting }] of entries) {
      if (time >= count.endsAt && !isSettling && waiting.length === 0) entries.delete(key);
    }
  }, windowMs).unref();

  const enter = (key: string, time: number): Entry => {
    let entry = entries.get(key);
    if (!entry) {
      const count = createWindowCount(time + windowMs);
      entry = { sharedKey: prefix + key, count, waiting: [], asked: [], isSettling: false };
      entries.set(key, entry);
    } else if (time >= entry.count.endsAt) {
      beginWindow(entry.count, time + windowMs);
    }
    return entry;
  };

  const canDecide = ({ count, waiting, asked }: Entry): boolean => {
    // behind one that waits all do: what it will be told is not known yet
    if (waiting.length > 0 || asked.length > 0 || count.knows === 'nothing') return false;
    if (count.knows === 'alone') return true;
    const isWithinAllowance = count.sent + count.unsent < allowance;
    return isWithinAllowance && knownTotal(count) < limit - RESERVE * allowance;
  };

  const tryIncrement = (key: string): HitCount | undefined => {
    const time = now();
    const entry = enter(key, time);
    if (!canDecide(entry)) return undefined;
    countOwn(entry.count, time, windowMs);
    entry.count.unsent += 1;
    settlements.include(entry);
    return tellTotal(entry.count);
  };

  const takeBack = (key: string, hitsOf: (count: WindowCount) => number): void => {
    const entry = entries.get(key);
    if (!entry || now() >= entry.count.endsAt) return;
    const hits = hitsOf(entry.count);
    entry.count.unsent -= hits;
    entry.count.own = Math.max(0, entry.count.own - hits);
    settlements.include(entry);
  };

  return {
    prefix,
    localKeys: false,
    tryIncrement,
    increment(key) {
      const told = tryIncrement(key);
      if (told) return Promise.resolve(told);
      const time = now();
      const entry = enter(key, time);
      countOwn(entry.count, time, windowMs);
      return new Promise((resolve) => {
        entry.waiting.push(resolve);
        settlements.include(entry);
      });
    },
    decrement(key) {
      takeBack(key, () => 1);
    },
    resetKey(key) {
      takeBack(key, knownTotal);
    },
    shutdown() {
      clearInterval(sweep);
      return settlements.finish();
    },
  };
}
