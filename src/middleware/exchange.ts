import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Duplex } from 'node:stream';

/** One request and its response, until the last byte or the loss of the connection. */
export interface Exchange {
  /** on the clock of `performance.now()` */
  readonly startedAt: number;
  /** Calls back once; at once when it is over already. */
  onOver(listener: () => void): void;
}

/** The exchanges under way on a connection, and who waits for the last of them. */
interface Connection {
  readonly ends: Set<() => void>;
  readonly idleListeners: (() => void)[];
}

// kept with Node's own objects; a `WeakMap` would hold on to every exchange until a full collection
const EXCHANGE = Symbol('exchange');
const CONNECTION = Symbol('connection');
type Answering = ServerResponse & { [EXCHANGE]?: Exchange };
type Connected = Duplex & { [CONNECTION]?: Connection };

/**
 * The exchange of a response; the first to ask begins it.
 *
 * A response's own `close` is not enough: of pipelined requests only the first has the socket, and
 * when that is lost Node forgets the others without a word. So an exchange is over when its
 * response or its connection is.
 */
export function exchangeOf({ socket }: IncomingMessage, res: Answering): Exchange {
  return (res[EXCHANGE] ??= begin(connectionOf(socket), res, socket.destroyed));
}

/** Calls back when no answer is due on the connection any more, lost or given. */
export function onIdle(socket: Duplex, listener: () => void): void {
  const connection = connectionOf(socket);
  if (connection.ends.size === 0) listener();
  else connection.idleListeners.push(listener);
}

function connectionOf(socket: Connected): Connection {
  const known = socket[CONNECTION];
  if (known) return known;
  const connection: Connection = { ends: new Set(), idleListeners: [] };
  socket[CONNECTION] = connection;
  socket.once('close', () => {
    for (const end of [...connection.ends]) end();
  });
  return connection;
}

function begin(
  { ends, idleListeners }: Connection,
  res: ServerResponse,
  isLost: boolean,
): Exchange {
  const startedAt = performance.now();
  const listeners: (() => void)[] = [];
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    ends.delete(end);
    for (const listener of listeners) listener();
    if (ends.size === 0) for (const listener of idleListeners.splice(0)) listener();
  };
  ends.add(end);
  res.once('close', end);
  if (isLost) end();
  return {
    startedAt,
    onOver(listener) {
      if (isOver) listener();
      else listeners.push(listener);
    },
  };
}
