import { LRUCache } from 'lru-cache';
import { type SharedCount } from '../services/shared-counter';
import { type Answer, type Question } from './messages';

/** What the workers of a machine must agree on when Redis is away. */
export interface Keeper {
  answer(question: Question): Answer;
  /** Frees what windows and admissions that have ended still hold; call it now and then. */
  sweep(): void;
}

export interface KeeperOptions {
  /** milliseconds, never running backwards */
  readonly now?: () => number;
  /** counts, and as many admissions; beyond it those not asked for the longest are forgotten */
  readonly maxEntries?: number;
}

/** As many as a single process keeps for itself; about 40 MB when both are full. */
const MAX_ENTRIES = 100_000;

/** Keeps it in the memory of this process, so it is as safe as the primary: nothing lasts longer. */
export function createKeeper({
  now = () => performance.now(),
  maxEntries = MAX_ENTRIES,
}: KeeperOptions = {}): Keeper {
  // both asks the clock each time
  const options = { max: maxEntries, ttlResolution: 0, perf: { now } };
  const windows = new LRUCache<string, { totalHits: number; readonly endsAt: number }>(options);
  const admissions = new LRUCache<string, true>(options);

  const add = (key: string, hits: number, windowMs: number): SharedCount => {
    const time = now();
    let window = windows.get(key);
    if (!window || window.endsAt <= time) {
      window = { totalHits: 0, endsAt: time + windowMs };
      windows.set(key, window, { ttl: windowMs });
    }
    // what is taken back may belong to a window that has ended
    window.totalHits = Math.max(0, window.totalHits + hits);
    return { totalHits: window.totalHits, endsInMs: window.endsAt - time };
  };

  return {
    answer(question) {
      switch (question.kind) {
        case 'add':
          return add(question.key, question.hits, question.windowMs);
        case 'admit':
          admissions.set(question.key, true, { ttl: question.ttlMs });
          return true;
        case 'isAdmitted':
          return admissions.get(question.key) ?? false;
      }
    },
    sweep() {
      windows.purgeStale();
      admissions.purgeStale();
    },
  };
}
