import { type Socket } from 'node:net';
import { type RequestHandler } from 'express';

/**
 * Bytes that the peer of a connection has not acknowledged yet, as its kernel queue shows;
 * undefined where that cannot be known.
 */
export type ReadSendQueue = (socket: Socket) => Promise<number | undefined>;

/** Twelve looks within the timeout: a stalled client is cut at most a twelfth late. */
const LOOKS_PER_TIMEOUT = 12;
const MIN_LOOK_INTERVAL_MS = 100;

/**
 * Cuts a response whose client takes nothing at all for `timeoutMs`; one that takes little lives.
 *
 * The kernel holds megabytes for a slow reader, and Node sees nothing move until a good part of
 * them is gone: at 16 kB/s that is minutes. So before a cut the kernel's own queue is looked at.
 *
 * @param timeoutMs 0 for never
 */
export function createSendTimeout(timeoutMs: number, readSendQueue: ReadSendQueue): RequestHandler {
  const lookIntervalMs = Math.max(MIN_LOOK_INTERVAL_MS, timeoutMs / LOOKS_PER_TIMEOUT);

  return (req, res, next) => {
    if (timeoutMs === 0) {
      next();
      return;
    }
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
        req.context.cut('send-timeout');
      } else {
        if (!isWaiting) lastProgressAt = performance.now();
        socket.setTimeout(lookIntervalMs);
      }
    };

    // Node's own timer: it runs only while the socket is quiet
    res.setTimeout(lookIntervalMs, () => {
      if (res.socket) void look(res.socket);
    });
    next();
  };
}
