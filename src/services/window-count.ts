import { type SharedCount } from './shared-counter';

/**
 * What one process knows of one key in the current window. Times are milliseconds since 1970.
 *
 * Our own hits have an end of their own: a shared counter that forgot begins a window anew, and
 * what we have let through in ours is still not forgiven.
 */
export interface WindowCount {
  /** tells windows apart: a reply may come when its window is over */
  serial: number;
  endsAt: number;
  /** `nothing` before the first reply; `alone` when the last one failed to come */
  knows: 'nothing' | 'total' | 'alone';
  /** hits of all processes as last heard; of ours, those below are still missing */
  total: number;
  /** on their way to the others */
  sent: number;
  /** decided here and not yet on their way; below 0 when hits were taken back */
  unsent: number;
  /** all hits of ours */
  own: number;
  ownEndsAt: number;
}

/** What a hit is told. */
export interface HitCount {
  readonly totalHits: number;
  /** end of the window */
  readonly resetTime: Date;
}

/** Hits on their way, and what was known when they left. */
export type Batch = Pick<WindowCount, 'serial' | 'endsAt' | 'total' | 'own' | 'ownEndsAt'> & {
  readonly hits: number;
};

/** A window of which nothing is known yet. */
export function createWindowCount(endsAt: number): WindowCount {
  return {
    serial: 0,
    endsAt,
    knows: 'nothing',
    total: 0,
    sent: 0,
    unsent: 0,
    own: 0,
    ownEndsAt: endsAt,
  };
}

/** Begins a window; what is not settled of the old one is dropped with it. */
export function beginWindow(count: WindowCount, endsAt: number): void {
  Object.assign(count, createWindowCount(endsAt), { serial: count.serial + 1 });
}

/** Counts a hit among our own; whether it is unsent or waits is the caller's to note. */
export function countOwn(count: WindowCount, time: number, windowMs: number): void {
  if (time >= count.ownEndsAt) {
    count.own = 0;
    count.ownEndsAt = Math.min(time + windowMs, count.endsAt);
  }
  count.own += 1;
}

/** Hits of the window as far as they are known here, never less than our own. */
export function tellTotal(count: WindowCount): HitCount {
  return greaterOf(count, { totalHits: knownTotal(count), endsAt: count.endsAt });
}

/** Hits of the window as last heard, and those of ours that were not among them. */
export function knownTotal({ total, sent, unsent }: WindowCount): number {
  return total + sent + unsent;
}

/**
 * Takes the hits that are to be settled.
 *
 * @param waiting hits that are not decided, to be sent behind those that are
 */
export function send(count: WindowCount, waiting: number): Batch {
  const { serial, endsAt, total, own, ownEndsAt } = count;
  const hits = count.unsent + waiting;
  count.sent = hits;
  count.unsent = 0;
  return { serial, endsAt, total, own, ownEndsAt, hits };
}

/**
 * Takes note of what became of a batch.
 *
 * @param heard undefined when nobody answered: then the hits stay with us, to be sent again. Were
 *   they counted and only the reply was lost, they count twice: it is the limit that errs safely
 * @returns what the last hit of the batch is told
 */
export function settle(
  count: WindowCount,
  batch: Batch,
  { heard, time }: { readonly heard: SharedCount | undefined; readonly time: number },
): HitCount {
  const totalHits = heard ? heard.totalHits : batch.total + batch.hits;
  const endsAt = heard ? time + heard.endsInMs : batch.endsAt;
  // of a window that is over, the next one learns nothing
  if (count.serial === batch.serial) {
    count.sent = 0;
    count.knows = heard ? 'total' : 'alone';
    if (heard) {
      count.total = totalHits;
      count.endsAt = endsAt;
      count.ownEndsAt = Math.min(count.ownEndsAt, endsAt);
    } else {
      count.unsent += batch.hits;
    }
  }
  return greaterOf(batch, { totalHits, endsAt });
}

function greaterOf(
  { own, ownEndsAt }: Pick<WindowCount, 'own' | 'ownEndsAt'>,
  { totalHits, endsAt }: { readonly totalHits: number; readonly endsAt: number },
): HitCount {
  return own > totalHits
    ? { totalHits: own, resetTime: new Date(ownEndsAt) }
    : { totalHits, resetTime: new Date(endsAt) };
}
