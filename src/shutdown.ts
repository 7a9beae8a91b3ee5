import { once } from 'node:events';
import { STOP_SIGNALS, stopLeaving } from './early-signals';
import { describeError, type Logger } from './observability/logger';
import { type Logs } from './observability/logs';

/** Exit code of a process that could not take its port, or met what it was not written for. */
export const EXIT_FAILURE = 1;

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

/** Settles when all lines are out: standard output may be a pipe that takes its time. */
export async function flush({ logger, flush }: Logs): Promise<void> {
  const finished = once(logger, 'finish');
  logger.end();
  await finished;
  await flush();
}
