import { AppError } from '../errors';

export interface JobSlotsOptions {
  /** jobs that may run at the same time */
  readonly mostRunning: number;
  /** jobs that may wait for that, 8 by default */
  readonly mostWaiting?: number;
  /** how long one may wait, 5,000 by default */
  readonly patienceMs?: number;
}

export interface JobSlots {
  /**
   * Waits for a place. Whoever has the fewest jobs running is next, then who asked first: a listener
   * who asks for much waits for himself. When too many wait, who has more of them than the newcomer
   * would have gives up the last.
   *
   * @param subject on whose behalf the job runs
   * @returns gives the place back; safe to call twice
   * @throws AppError `overloaded` when too many wait, or the wait was too long; the signal's reason
   *   when that aborts first
   */
  take(subject: string, signal: AbortSignal): Promise<() => void>;
}

interface Waiting {
  readonly subject: string;
  readonly grant: () => void;
  readonly turnAway: () => void;
}

const MOST_WAITING = 8;
const PATIENCE_MS = 5_000;

/** Places for work that fills a processor. */
export function createJobSlots(options: JobSlotsOptions): JobSlots {
  const { mostRunning, mostWaiting = MOST_WAITING, patienceMs = PATIENCE_MS } = options;
  const running = new Map<string, number>();
  const waiting = new Set<Waiting>();
  let runningCount = 0;

  const runningOf = (subject: string): number => running.get(subject) ?? 0;

  const begin = (subject: string): (() => void) => {
    runningCount += 1;
    running.set(subject, runningOf(subject) + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      runningCount -= 1;
      if (runningOf(subject) > 1) running.set(subject, runningOf(subject) - 1);
      else running.delete(subject);
      letNextIn();
    };
  };

  const letNextIn = (): void => {
    if (runningCount >= mostRunning) return;
    let next: Waiting | undefined;
    for (const other of waiting) {
      if (!next || runningOf(other.subject) < runningOf(next.subject)) next = other;
    }
    next?.grant();
  };

  /** Running and waiting. */
  const demandOf = (subject: string): number =>
    [...waiting].filter((other) => other.subject === subject).length + runningOf(subject);

  const findGreediest = (): Waiting | undefined => {
    let greediest: Waiting | undefined;
    for (const other of waiting) {
      if (!greediest || demandOf(other.subject) >= demandOf(greediest.subject)) greediest = other;
    }
    return greediest;
  };

  const wait = (subject: string, signal: AbortSignal): Promise<() => void> =>
    new Promise((resolve, reject) => {
      const leave = (): void => {
        waiting.delete(entry);
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
      };
      const turnAway = (): void => {
        leave();
        reject(overloaded());
      };
      const entry: Waiting = {
        subject,
        grant() {
          leave();
          resolve(begin(subject));
        },
        turnAway,
      };
      const abort = (): void => {
        leave();
        reject(signal.reason as Error);
      };
      const timer = setTimeout(turnAway, patienceMs);
      signal.addEventListener('abort', abort, { once: true });
      waiting.add(entry);
    });

  return {
    async take(subject, signal) {
      signal.throwIfAborted();
      if (runningCount < mostRunning) return begin(subject);
      if (waiting.size >= mostWaiting) {
        const greediest = findGreediest();
        if (!greediest || demandOf(greediest.subject) <= demandOf(subject) + 1) throw overloaded();
        greediest.turnAway();
      }
      return wait(subject, signal);
    },
  };
}

function overloaded(): AppError {
  return new AppError('overloaded', 'Too many tracks are being converted; try again in a moment');
}
