import { setTimeout as delay } from 'node:timers/promises';

const LOOK_INTERVAL_MS = 10;

/**
 * Waits for what another process does and tells nobody; fails when it does not happen in time. The time is
 * there to end a test that hangs: it says nothing about how fast anything is.
 */
export async function until(
  claim: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 15_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await claim())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(LOOK_INTERVAL_MS);
  }
}
