import { Writable } from 'node:stream';
import { createLineSink } from './line-sink';
import { createLogger, type Logger, type LoggerOptions } from './logger';
import { createRequestLog, type RequestLog } from './request-log';

/** All that the process writes, on one output and in one order. */
export interface Logs {
  readonly logger: Logger;
  readonly requestLog: RequestLog;
  /** Settles when all lines are handed over; the last thing before the process ends. */
  readonly flush: () => Promise<void>;
}

export interface LogsOptions extends LoggerOptions {
  /** how long the line of a request waits for others */
  readonly maxWaitMs?: number;
}

/** Late enough for many lines to go together, soon enough for whoever watches. */
const MAX_WAIT_MS = 50;

/** Lines of requests wait for company; all others go out at once and take along what waits. */
export function createLogs({
  stream = process.stdout,
  maxWaitMs = MAX_WAIT_MS,
  ...options
}: LogsOptions): Logs {
  const sink = createLineSink(stream, maxWaitMs, (lines) => {
    logger.warn('lines of the log are lost: nobody took them in time', { lines });
  });
  const output = new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      sink.write(line);
      done();
    },
  });
  const logger = createLogger({ ...options, stream: output });
  return {
    logger,
    requestLog: createRequestLog(logger, options, sink),
    flush: () => sink.flush(),
  };
}
