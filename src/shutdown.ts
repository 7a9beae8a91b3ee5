import { setTimeout as delay } from 'node:timers/promises';
import { STOP_SIGNALS, stopLeaving } from './early-signals';
import { describeError, type Logger } from './observability/logger';
import { type Logs } from './observability/logs';

/** Exit code of a process that could not take its port, or met what it was not written for. */
export const EXIT_FAILURE = 1;

/** Whoever reads the log may have stopped for good: that must not keep the process. */
const FLUSH_MS = 2_000;

/** Called for each reason; several may come, and the same one twice. */
export type Stop = (exitCode: number, reason: string) => void;

/** Stops this process on SIGTERM and SIGINT, and when something went wrong that nobody caught. */
export function stopOnSignals(logger: Logger, stop: Stop): void {
  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => {
      stop(0, signal);
    });
  }
  stopLeaving();
  const crash = (error: unknown): void => {
    logger.error('unexpected failure', { error: describeError(error) });
    stop(EXIT_FAILURE, 'unexpected failure');
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
}

/** Settles when all lines are out, or nobody takes them: standard output may be a pipe that takes its time. */
export async function flush({ logger, flush }: Logs): Promise<void> {
  // what is logged from here on is late, and no reason to fail
  logger.on('error', () => undefined);
  const finished = new Promise((resolve) => logger.once('finish', resolve));
  logger.end();
  await finished;
  await Promise.race([flush(), delay(FLUSH_MS)]);
}
