import { type SharedCount, type SharedCounter } from './shared-counter';
import { beginWindow, send, settle, type HitCount, type WindowCount } from './window-count';

/** Ends the waiting of one hit. */
type Tell = (told: HitCount) => void;

/** A key with hits that the shared counter does not have yet. */
export interface Entry {
  readonly sharedKey: string;
  readonly count: WindowCount;
  /** hits that wait to be settled, in the order in which they came */
  waiting: Tell[];
  /** those whose settlement is under way */
  asked: readonly Tell[];
  /** one settlement at a time for each key, so that totals are heard in their order */
  isSettling: boolean;
}

export interface Settlements {
  /** Has the entry settled with the others: at once when a hit waits, else within 50 ms. */
  include(entry: Entry): void;
  /** Begins to settle what can be, and waits for what is under way, until nothing is left. */
  finish(): Promise<void>;
}

export interface SettlementOptions {
  readonly counter: SharedCounter;
  readonly windowMs: number;
  /** milliseconds since 1970 */
  readonly now: () => number;
}

const INTERVAL_MS = 50;
/** So many may go ahead of their turn: a quiet process tells each hit as it comes. */
const MAX_AHEAD = 10;

/**
 * Settles together whatever keys have something to settle: one command for each, all of them in
 * one turn of the event loop. What fails is tried again with the key's next hit, so a counter that
 * is away is asked for a key at most 20 times a second, and only while the key is hit.
 */
export function createSettlements(options: SettlementOptions): Settlements {
  const { now } = options;
  const open = new Set<Entry>();
  const underWay = new Set<Promise<void>>();
  let immediate: NodeJS.Immediate | undefined;
  let timer: NodeJS.Timeout | undefined;
  /** when the next settlement that nobody waits for is due; in the past while some may go ahead */
  let dueAt = 0;

  const schedule = (isUrgent: boolean): void => {
    if (immediate || (timer && !isUrgent)) return;
    const waitMs = isUrgent ? 0 : takeTurn();
    // at the end of this turn of the loop: what other sockets brought goes along
    if (waitMs === 0) immediate = setImmediate(settleOpen);
    else timer = setTimeout(settleOpen, waitMs).unref();
  };

  const takeTurn = (): number => {
    const time = now();
    // bounded on both sides, wherever somebody sets the clock
    const turnAt = Math.min(Math.max(dueAt, time - MAX_AHEAD * INTERVAL_MS), time + INTERVAL_MS);
    dueAt = turnAt + INTERVAL_MS;
    return Math.max(0, turnAt - time);
  };

  const settleOpen = (): void => {
    clearImmediate(immediate);
    clearTimeout(timer);
    immediate = timer = undefined;
    for (const entry of open) {
      if (entry.isSettling) continue; // its reply brings it back
      open.delete(entry);
      begin(entry);
    }
  };

  const begin = (entry: Entry): void => {
    entry.isSettling = true;
    const settlement = settleOne(entry, options).finally(() => {
      entry.isSettling = false;
      underWay.delete(settlement);
      if (open.has(entry)) schedule(entry.waiting.length > 0);
    });
    underWay.add(settlement);
  };

  return {
    include(entry) {
      open.add(entry);
      if (!entry.isSettling) schedule(entry.waiting.length > 0);
    },
    async finish() {
      do {
        settleOpen();
        await Promise.all(underWay);
      } while (open.size > 0);
    },
  };
}

async function settleOne(
  entry: Entry,
  { counter, windowMs, now }: SettlementOptions,
): Promise<void> {
  const { count, sharedKey, waiting } = entry;
  if (now() >= count.endsAt) {
    if (waiting.length === 0) return;
    beginWindow(count, now() + windowMs); // who waits belongs to the window that answers
  }
  entry.asked = waiting;
  entry.waiting = [];
  const batch = send(count, waiting.length);
  if (batch.hits === 0 && waiting.length === 0) return;

  let heard: SharedCount | undefined;
  try {
    heard = await counter.add(sharedKey, batch.hits, windowMs);
  } catch {
    // away, or a foreign value under our key: this process decides alone
  }
  const last = settle(count, batch, { heard, time: now() });
  entry.asked = [];
  waiting.forEach((tell, position) => {
    const behind = waiting.length - 1 - position;
    tell({ ...last, totalHits: last.totalHits - behind });
  });
}
