/**
 * Joins the work of that key which is under way, or starts it. It is ended when all who wait for it
 * have left.
 *
 * Who started it lends it what it needs, so theirs settles only when the work has ended, even when
 * they left before the others.
 *
 * @throws what the work failed with; the signal's reason
 */
export type ShareWork<T> = (
  key: string,
  start: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
) => Promise<T>;

interface Work<T> {
  readonly result: Promise<T>;
  readonly stopping: AbortController;
  users: number;
}

export function createSharedWork<T>(): ShareWork<T> {
  const running = new Map<string, Work<T>>();

  const leave = (key: string, work: Work<T>): void => {
    work.users -= 1;
    if (work.users > 0) return;
    if (running.get(key) === work) running.delete(key);
    work.stopping.abort(new Error('nobody waits for it any more'));
  };

  return async (key, start, signal) => {
    signal.throwIfAborted();
    const joined = running.get(key);
    const work = joined ?? begin(start);
    running.set(key, work);
    work.users += 1;
    try {
      return await untilAborted(work.result, signal);
    } finally {
      leave(key, work);
      if (!joined) await work.result.catch(() => undefined);
    }
  };
}

function begin<T>(start: (signal: AbortSignal) => Promise<T>): Work<T> {
  const stopping = new AbortController();
  return { result: start(stopping.signal), stopping, users: 0 };
}

function untilAborted<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', abort, { once: true });
    result.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort);
    });
  });
}
