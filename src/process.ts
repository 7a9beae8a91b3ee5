import { opendir } from 'node:fs/promises';
import { type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createRequestListener } from './app';
import { ConfigError, EXIT_CONFIG, parseConfig, type Config } from './config';
import { createContainer, type Container, type Peers } from './container';
import { exitProcess } from './exit-process';
import { listen, logCannotListen } from './listen';
import { describeError, type Logger } from './observability/logger';
import { createLogs, type Logs } from './observability/logs';
import { createHttpServer } from './server';
import { EXIT_FAILURE, flush, stopOnSignals, type Stop } from './shutdown';
import { runPrimary } from './workers/primary';

/** Programs that heed no signal take 2 s to end, a thread that loads a second; the rest is for a slow machine. */
const CLOSING_MS = 10_000;

export interface RunningService {
  readonly address: AddressInfo;
  readonly isRedisUp: boolean;
}

/**
 * The process: configuration, listening, signals, and the way out; with `WORKERS` the first of
 * several.
 *
 * @returns undefined when the process is about to exit
 */
export async function runService(env: NodeJS.ProcessEnv): Promise<RunningService | undefined> {
  const config = readConfig(env);
  if (!config) return undefined;

  const logs = createLogs({ level: config.logLevel, format: config.logFormat });
  const { logger } = logs;
  await warnAboutLibrary(config, logger);
  const { workers: size } = config;
  if (size !== undefined) return runPrimary({ config, size, logs, env });
  return serve({ config, logs, reports: reportToLog(config, logger) });
}

/** Who is told how far a serving process has come. */
export interface Reports {
  listening(service: RunningService): void;
  /** nothing is accepted any more */
  stopping(reason: string): void;
  stopped(connectionsCut: number): void;
}

export interface ServeOptions {
  readonly config: Config;
  readonly logs: Logs;
  readonly reports: Reports;
  /** other processes of this machine that share limits with this one */
  readonly peers?: Peers;
  /** settles with the reason when this process is to stop, beside the signals */
  readonly stopRequest?: Promise<string>;
}

/** Serves until it is told to stop, drains, and ends the process. */
export async function serve({
  config,
  logs,
  reports,
  peers,
  stopRequest,
}: ServeOptions): Promise<RunningService | undefined> {
  const { logger } = logs;
  const container = await createContainer(config, logs, peers ? { peers } : {});
  const http = createHttpServer(createRequestListener(container), container);

  let stopping: Promise<void> | undefined;
  const stop: Stop = (exitCode, reason) => {
    // a process group may deliver the same signal twice
    stopping ??= (async () => {
      container.readiness.drain();
      const drained = http.drain(config.drainTimeoutMs);
      reports.stopping(reason);
      const cut = await drained;
      await closeInTime(container, logger);
      reports.stopped(cut);
      await flush(logs);
      await exitProcess(exitCode);
    })();
  };
  stopOnSignals(logger, stop);
  void stopRequest?.then((reason) => {
    stop(0, reason);
  });

  try {
    const address = await listen(http.server, config);
    const service = { address, isRedisUp: container.redis.isUp() };
    container.catalogue.start();
    reports.listening(service);
    return service;
  } catch (error) {
    logCannotListen(logger, config, error);
    await closeInTime(container, logger);
    await flush(logs);
    await exitProcess(EXIT_FAILURE);
    return undefined;
  }
}

/** What cannot be closed must not keep the process; never fails. */
async function closeInTime(container: Container, logger: Logger): Promise<void> {
  const late = delay(CLOSING_MS).then(() => {
    throw new Error(`not closed within ${CLOSING_MS} ms`);
  });
  try {
    await Promise.race([container.close(), late]);
  } catch (error) {
    logger.error('not all could be closed', { error: describeError(error) });
  }
}

function reportToLog({ nodeEnv, drainTimeoutMs }: Config, logger: Logger): Reports {
  return {
    listening({ address: { address, port } }) {
      logger.info('listening', { address, port, env: nodeEnv });
    },
    stopping(reason) {
      logger.info('stopping', { reason, drainTimeoutMs });
    },
    stopped(connectionsCut) {
      logger.info('stopped', { connectionsCut });
    },
  };
}

function readConfig(env: NodeJS.ProcessEnv): Config | undefined {
  try {
    return parseConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // before there is a logger: its settings are among what is wrong
    process.stderr.write(`${error.problems.join('\n')}\n`);
    process.exitCode = EXIT_CONFIG;
    return undefined;
  }
}

async function warnAboutLibrary({ audioFilesDir }: Config, logger: Logger): Promise<void> {
  try {
    await (await opendir(audioFilesDir)).close();
  } catch (error) {
    logger.warn('the music library cannot be read: tracks answer 503 until it can', {
      audioFilesDir,
      error: describeError(error),
    });
  }
}
