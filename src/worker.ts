import cluster, { type Worker } from 'node:cluster';
import { parseConfig } from './config';
import { type Logger } from './observability/logger';
import { createLogs } from './observability/logs';
import { serve, type Reports } from './process';
import { type WorkerMessage } from './workers/messages';
import { createPrimaryClient, PRIMARY_GONE, type Channel } from './workers/primary-client';

/** A worker process: what a single process is, but for what it shares with its like. */
function runWorker(worker: Worker): void {
  const config = parseConfig(process.env);
  const logs = createLogs({
    level: config.logLevel,
    format: config.logFormat,
    worker: worker.id,
  });
  const { logger } = logs;
  const primary = createPrimaryClient({
    channel: openChannel(worker),
    onLate: () => {
      logger.warn('the primary is late: limits are local for a second');
    },
  });
  void serve({
    config,
    logs,
    peers: primary,
    reports: reportTo(worker, logger),
    stopRequest: primary.stopRequest,
  });
}

/** The primary speaks for all of us in the log; what it cannot say any more we say ourselves. */
function reportTo(worker: Worker, logger: Logger): Reports {
  return {
    listening({ address, isRedisUp }) {
      send(worker, { kind: 'listening', address, isRedisUp });
    },
    stopping(reason) {
      send(worker, { kind: 'stopping' });
      logger.log(reason === PRIMARY_GONE ? 'error' : 'debug', 'worker stopping', { reason });
    },
    stopped(connectionsCut) {
      send(worker, { kind: 'stopped', connectionsCut });
      logger.debug('worker stopped', { connectionsCut });
    },
  };
}

function openChannel(worker: Worker): Channel {
  return {
    send: (message) => {
      send(worker, message);
    },
    onMessage: (listener) => {
      worker.on('message', listener);
    },
    onGone: (listener) => {
      worker.once('disconnect', () => {
        // else node:cluster ends this process at once
        worker.exitedAfterDisconnect = true;
        listener();
      });
    },
  };
}

/** Whether it arrives is known by the answer, if there is to be one. */
function send(worker: Worker, message: WorkerMessage): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}

if (cluster.worker) runWorker(cluster.worker);
