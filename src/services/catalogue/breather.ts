import { setImmediate } from 'node:timers/promises';

/** Work that holds the event loop for longer is noticed by whoever streams. */
const MAX_HOLD_MS = 4;

/**
 * For long work on the main thread: to be awaited every few hundred steps, and lets all others in
 * when the work has gone on for 4 ms.
 */
export function createBreather(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < MAX_HOLD_MS) return undefined;
    return setImmediate().then(() => {
      since = performance.now();
    });
  };
}
