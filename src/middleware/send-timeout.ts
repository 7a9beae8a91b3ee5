import { type ServerResponse } from 'node:http';
import { type Socket } from 'node:net';
import { type RequestHandler } from 'express';
import { type RequestContext } from './request-context';

/**
 * Bytes that the peer of a connection has not acknowledged yet, as its kernel queue shows;
 * undefined where that cannot be known.
 */
export type ReadSendQueue = (socket: Socket) => Promise<number | undefined>;

/** Twelve looks within the timeout: a stalled client is cut at most a twelfth late. */
const LOOKS_PER_TIMEOUT = 12;
const MIN_LOOK_INTERVAL_MS = 100;

/** Watches a response from its beginning to its end. */
export type SendWatch = (res: ServerResponse, context: RequestContext) => void;

/**
 * Cuts a response whose client takes nothing at all for `timeoutMs`; one that takes little lives.
 *
 * The kernel holds megabytes for a slow reader, and Node sees nothing move until a good part of
 * them is gone: at 16 kB/s that is minutes. So before a cut the kernel's own queue is looked at.
 *
 * @param timeoutMs 0 for never
 */
export function createSendWatch(timeoutMs: number, readSendQueue: ReadSendQueue): SendWatch {
  const lookIntervalMs = Math.max(MIN_LOOK_INTERVAL_MS, timeoutMs / LOOKS_PER_TIMEOUT);
  if (timeoutMs === 0) return () => undefined;

  return (res, context) => {
    let seen = { flushedBytes: -1, queuedBytes: 0 };
    let lastProgressAt = performance.now();

    const look = async (socket: Socket): Promise<void> => {
      const flushedBytes = socket.bytesWritten - socket.writableLength;
      const queuedBytes = (await readSendQueue(socket)) ?? 0;
      if (res.closed) return;
      if (flushedBytes !== seen.flushedBytes || queuedBytes < seen.queuedBytes) {
        lastProgressAt = performance.now();
      }
      seen = { flushedBytes, queuedBytes };
      // nothing waits for the client: it is we who are slow
      const isWaiting = socket.writableLength > 0;
      if (isWaiting && performance.now() - lastProgressAt >= timeoutMs) {
        context.cut('send-timeout');
      } else {
        if (!isWaiting) lastProgressAt = performance.now();
        socket.setTimeout(lookIntervalMs);
      }
    };

    // Node's own timer: it runs only while the socket is quiet
    res.setTimeout(lookIntervalMs, () => {
      if (res.socket) void look(res.socket);
    });
  };
}

/** The watch as a step of every request. */
export function createSendTimeout(watch: SendWatch): RequestHandler {
  return (req, res, next) => {
    watch(res, req.context);
    next();
  };
}
