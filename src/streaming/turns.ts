/** Waiting for a turn, or under way. */
export interface Turn {
  /** Leaves the queue, or makes room for the next; harmless when it is over already. */
  end(): void;
}

export interface Turns {
  /** Calls `begin` when it is the caller's turn: now, when nobody waits and there is a place. */
  take(begin: () => void): Turn;
}

export interface TurnsOptions {
  /** turns that may be under way at once; 1 or more */
  readonly places: number;
  /** a turn that takes longer no longer keeps others from theirs: a disk may hang */
  readonly overdueMs: number;
  /** milliseconds on a clock that never goes back */
  readonly now: () => number;
}

interface Entry {
  readonly begin: () => void;
  begunAt: number;
}

/**
 * A queue for work that is long in sum and short in each step: first come, first served, few at a time.
 *
 * Of those who wait no more than there are places begin in one turn of the event loop, so that what has
 * just arrived goes before thousands who have been here for long: libuv accepts one connection in each
 * turn. There is no rate: while somebody waits for a free place the loop does not sleep.
 */
export function createTurns({ places, overdueMs, now }: TurnsOptions): Turns {
  // sets keep their order, and whoever leaves need not be looked for
  const waiting = new Set<Entry>();
  const underWay = new Set<Entry>();
  let isFillingDue = false;
  let overdueTimer: NodeJS.Timeout | undefined;

  const begin = (entry: Entry): void => {
    underWay.add(entry);
    entry.begunAt = now();
    entry.begin();
  };

  const fillPlaces = (): void => {
    isFillingDue = false;
    for (const next of waiting) {
      if (underWay.size >= places) return;
      waiting.delete(next);
      begin(next);
    }
  };

  const fillSoon = (): void => {
    if (isFillingDue || waiting.size === 0) return;
    isFillingDue = true;
    setImmediate(fillPlaces);
  };

  /** Runs only while somebody waits. */
  const watchOverdue = (): void => {
    overdueTimer ??= setTimeout(() => {
      overdueTimer = undefined;
      if (waiting.size === 0) return;
      const latest = now() - overdueMs;
      for (const entry of underWay) if (entry.begunAt <= latest) underWay.delete(entry);
      fillSoon();
      watchOverdue();
    }, overdueMs).unref();
  };

  return {
    take(callback) {
      const entry = { begin: callback, begunAt: 0 };
      if (waiting.size === 0 && underWay.size < places) {
        begin(entry);
      } else {
        waiting.add(entry);
        watchOverdue();
      }
      return {
        end() {
          if (underWay.delete(entry)) fillSoon();
          else waiting.delete(entry);
        },
      };
    },
  };
}
