import { type Duplex } from 'node:stream';

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

/** Has Node close the connection that way when the response on it is complete. */
export function lingerOnClose(socket: Duplex & { destroySoon?: () => void }): void {
  socket.destroySoon = () => {
    endAndLinger(socket);
  };
}
