/** Ids that wait for their description; each once, first come, first served. */
export interface DescribeQueue {
  readonly waiting: number;
  add(id: string): void;
  remove(id: string): void;
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>;
  /** Drops what waits, and waits for what runs. */
  close(): Promise<void>;
}

/** Tracks that are described at once: beyond that more of them only wait for the tag reader. */
const MOST_RUNNING = 4;

/** @param describe must never reject */
export function createDescribeQueue(describe: (id: string) => Promise<void>): DescribeQueue {
  const waiting = new Set<string>();
  const running = new Set<Promise<void>>();
  const idleListeners: (() => void)[] = [];
  let isClosed = false;

  const start = (): void => {
    for (const id of waiting) {
      if (running.size >= MOST_RUNNING) return;
      waiting.delete(id);
      const work = describe(id).finally(() => {
        running.delete(work);
        start();
      });
      running.add(work);
    }
    if (running.size === 0) for (const listener of idleListeners.splice(0)) listener();
  };

  const idle = async (): Promise<void> => {
    if (running.size === 0 && waiting.size === 0) return;
    await new Promise<void>((resolve) => idleListeners.push(resolve));
  };

  return {
    get waiting() {
      return waiting.size;
    },
    add(id) {
      if (isClosed) return;
      waiting.add(id);
      start();
    },
    remove(id) {
      waiting.delete(id);
    },
    idle,
    async close() {
      isClosed = true;
      waiting.clear();
      await idle();
    },
  };
}
