import { setTimeout as delay } from 'node:timers/promises';

/** A file call that takes longer has met a disk that hangs. */
const HANGING_MS = 3_000;
const LOOK_INTERVAL_MS = 10;

/**
 * Ends the process, with the code where that can be. Node's exit waits for the threads of file calls,
 * and one that hangs in a disk does not come back: then the process kills itself, as whoever stops it
 * would have to. Process 1 of a container cannot, and is left to them.
 *
 * @param isGivenUp asked while file calls are waited for; then this returns
 */
export async function exitProcess(
  code: number,
  isGivenUp: () => boolean = () => false,
): Promise<void> {
  const startedAt = performance.now();
  // those alone: others that come and go hang in nothing
  let calls = listFileCalls();
  while (calls.length > 0) {
    if (performance.now() - startedAt > HANGING_MS) {
      process.kill(process.pid, 'SIGKILL');
      break;
    }
    await delay(LOOK_INTERVAL_MS);
    if (isGivenUp()) return;
    const running = new Set(listFileCalls());
    calls = calls.filter((call) => running.has(call));
  }
  process.exit(code);
}

/** Node documents only their names, by which two of them cannot be told apart. */
function listFileCalls(): readonly object[] {
  const { _getActiveRequests: list } = process as { _getActiveRequests?: () => readonly object[] };
  return (list?.() ?? []).filter((request) => request.constructor.name.startsWith('FSReq'));
}
