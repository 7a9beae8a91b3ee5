import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { type AddressInfo } from 'node:net';
import { type Server } from 'node:http';
import { createRequestListener } from './app';
import { ConfigError, EXIT_CONFIG, parseConfig, type Config } from './config';
import { createContainer } from './container';
import { describeError, type Logger } from './observability/logger';
import { createLogs, type Logs } from './observability/logs';
import { createHttpServer } from './server';

/** Exit code of a process that could not take its port. */
const EXIT_FAILURE = 1;

export interface RunningService {
  readonly address: AddressInfo;
  readonly isRedisUp: boolean;
}

/**
 * The process: configuration, listening, signals, and the way out.
 *
 * @returns undefined when the process is about to exit
 */
export async function runService(env: NodeJS.ProcessEnv): Promise<RunningService | undefined> {
  const config = readConfig(env);
  if (!config) return undefined;

  const logs = createLogs({ level: config.logLevel, format: config.logFormat });
  const { logger } = logs;
  await warnAboutLibrary(config, logger);
  const container = await createContainer(config, logs);
  const http = createHttpServer(createRequestListener(container), container);

  let stopping: Promise<void> | undefined;
  const stop = (exitCode: number, reason: string): void => {
    // a process group may deliver the same signal twice
    stopping ??= (async () => {
      const drained = http.drain(config.drainTimeoutMs);
      logger.info('stopping', { reason, drainTimeoutMs: config.drainTimeoutMs });
      const cut = await drained;
      await container.close();
      logger.info('stopped', { connectionsCut: cut });
      await flush(logs);
      process.exit(exitCode);
    })();
  };
  process.on('SIGTERM', () => {
    stop(0, 'SIGTERM');
  });
  process.on('SIGINT', () => {
    stop(0, 'SIGINT');
  });
  const crash = (error: unknown): void => {
    logger.error('unexpected failure', { error: describeError(error) });
    stop(EXIT_FAILURE, 'unexpected failure');
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);

  try {
    const address = await listen(http.server, config);
    logger.info('listening', { address: address.address, port: address.port, env: config.nodeEnv });
    return { address, isRedisUp: container.redis.isUp() };
  } catch (error) {
    logger.error('cannot listen', {
      host: config.host,
      port: config.port,
      reason: describeError(error).message,
    });
    await container.close();
    await flush(logs);
    process.exit(EXIT_FAILURE);
  }
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
  const isThere = await stat(audioFilesDir).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isThere) {
    logger.warn('the music library is missing: tracks answer 503 until it appears', {
      audioFilesDir,
    });
  }
}

function listen(server: Server, { host, port }: Config): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.off('error', reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

/** Standard output may be a pipe that takes its time. */
async function flush(logs: Logs): Promise<void> {
  const finished = once(logs.logger, 'finish');
  logs.logger.end();
  await finished;
  logs.flush();
}
