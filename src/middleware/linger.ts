import { type Duplex } from 'node:stream';
import { type Request, type Response } from 'express';

/** Time for a client to notice that nobody wants the rest. */
const LINGER_MS = 2_000;

/**
 * Ends our side of a connection and lets what the client still sends run into the void for a while.
 * Closing with unread content would reset the connection, and the client would lose the answer.
 *
 * @see RFC 9112 §9.6
 */
export function endAndLinger(socket: Duplex, lastBytes = ''): void {
  socket.end(lastBytes);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => {
    clearTimeout(timer);
  });
}

/**
 * Closes the connection after this response, lingering: what the client still sends must not be
 * taken for its next request.
 */
export function closeAfter(req: Request, res: Response): void {
  res.set('Connection', 'close');
  // what Node calls when the last response of a connection is complete
  req.socket.destroySoon = () => {
    endAndLinger(req.socket);
  };
}
