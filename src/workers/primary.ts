import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { VARIABLE_NAMES, type Config } from '../config';
import { listen, logCannotListen } from '../listen';
import { type Logs } from '../observability/logs';
import { EXIT_FAILURE, flush, stopOnSignals } from '../shutdown';
import { createCrew, tell } from './crew';
import { createHandover } from './handover';
import { createKeeper } from './keeper';

/** What the crew says when all of it listens. */
export interface ListeningCrew {
  readonly address: AddressInfo;
  readonly isRedisUp: boolean;
}

export interface PrimaryOptions {
  readonly config: Config;
  /** number of worker processes */
  readonly size: number;
  readonly logs: Logs;
  /** what the workers are configured by; the config is parsed from it */
  readonly env: NodeJS.ProcessEnv;
}

const SWEEP_INTERVAL_MS = 60_000;
/** As built: ts-node-dev, which compiles for its children, does not get as far as theirs. */
const WORKER_FILE = join(__dirname, '../worker.js');

/**
 * The primary: opens neither Redis nor tracks, but starts workers that do, hands them their
 * connections, and keeps what they must agree on when Redis is away.
 *
 * Resolves when all workers listen; never when they are told to stop before.
 *
 * @see docs/decisions/0006-workers-share-through-the-primary.md
 */
export async function runPrimary(options: PrimaryOptions): Promise<ListeningCrew> {
  const { config, logs } = options;
  const { logger } = logs;
  await ensureFreePort(config, logs);

  return new Promise((resolve) => {
    const crew = startCrew(options, resolve);
    let stopping: Promise<void> | undefined;
    stopOnSignals(logger, (exitCode, reason) => {
      // a process group may deliver the same signal twice
      stopping ??= (async () => {
        const { quiet, ended } = crew.stop(reason);
        await quiet;
        logger.info('stopping', { reason, drainTimeoutMs: config.drainTimeoutMs });
        logger.info('stopped', { connectionsCut: await ended });
        await flush(logs);
        process.exit(exitCode);
      })();
    });
  });
}

function startCrew(
  { config, size, logs: { logger }, env }: PrimaryOptions,
  onListening: (crew: ListeningCrew) => void,
): ReturnType<typeof createCrew> {
  const keeper = createKeeper();
  setInterval(() => {
    keeper.sweep();
  }, SWEEP_INTERVAL_MS).unref();
  const handover = createHandover({ findAccepting: () => crew.findAccepting() });
  let knownPort: number | undefined;

  const crew = createCrew({
    size,
    drainTimeoutMs: config.drainTimeoutMs,
    logger,
    fork: () => {
      const worker = forkWorker(env);
      handover.watch(worker);
      return worker;
    },
    onMessage(worker, message) {
      if (message.kind === 'ask') {
        const answer = keeper.answer(message.question);
        tell(worker, { kind: 'answer', id: message.id, answer });
      } else if (message.kind === 'listening') {
        const { address, isRedisUp } = message;
        // of PORT=0 another one comes out when no worker was left that had the first
        if (!crew.isComplete() || address.port === knownPort) return;
        knownPort = address.port;
        logger.info('listening', {
          address: address.address,
          port: address.port,
          env: config.nodeEnv,
          workers: size,
        });
        onListening({ address, isRedisUp });
      }
    },
  });
  return crew;
}

function forkWorker(env: NodeJS.ProcessEnv): Worker {
  cluster.schedulingPolicy = cluster.SCHED_RR; // the kernel would give one worker most of it
  cluster.setupPrimary({ exec: WORKER_FILE, args: [] });
  // ours, whatever this process was started with
  return cluster.fork(Object.fromEntries(VARIABLE_NAMES.map((name) => [name, env[name]])));
}

/** What a single process finds out by listening is found out before anything is started. */
async function ensureFreePort(config: Config, logs: Logs): Promise<void> {
  if (config.port === 0) return;
  const probe = createServer();
  try {
    await listen(probe, config);
    probe.close();
    await once(probe, 'close');
  } catch (error) {
    logCannotListen(logs.logger, config, error);
    await flush(logs);
    process.exit(EXIT_FAILURE);
  }
}
