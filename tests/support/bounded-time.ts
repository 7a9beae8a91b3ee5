import { runInNewContext } from 'node:vm';

const LIMIT_MS = 5_000;

/**
 * Runs what must take time in proportion to its input. Give it some 400 kB: linear work is done
 * in milliseconds, work that grows with the square takes minutes and is stopped with an error.
 */
export function runBounded<T>(work: () => T): T {
  return runInNewContext('work()', { work }, { timeout: LIMIT_MS }) as T;
}
