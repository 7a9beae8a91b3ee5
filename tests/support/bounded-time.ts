import { runInNewContext } from 'node:vm';

/** Of the processor: how long it takes on the clock is also a matter of who else wants it. */
const LIMIT_MS = 5_000;
/** Ends what would take minutes. */
const PATIENCE_MS = 45_000;

/**
 * Runs what must take time in proportion to its input. Give it some 400 kB: linear work is done
 * in milliseconds, work that grows with the square takes minutes and is stopped with an error.
 */
export function runBounded<T>(work: () => T): T {
  const before = process.cpuUsage();
  const result = runInNewContext('work()', { work }, { timeout: PATIENCE_MS }) as T;
  const { user, system } = process.cpuUsage(before);
  const tookMs = (user + system) / 1000;
  if (tookMs > LIMIT_MS) throw new Error(`it took ${tookMs} ms of the processor`);
  return result;
}
