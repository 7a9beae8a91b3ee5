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
  readonly running: Set<Running>;
  readonly idleListeners: (() => void)[];
}

// kept with Node's own objects; a `WeakMap` would hold on to every exchange until a full collection
const EXCHANGE = Symbol('exchange');
const CONNECTION = Symbol('connection');
type Answering = ServerResponse & { [EXCHANGE]?: Exchange | undefined };
type Connected = Duplex & { [CONNECTION]?: Connection | undefined };

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
  if (connection.running.size === 0) listener();
  else connection.idleListeners.push(listener);
}

function connectionOf(socket: Connected): Connection {
  const known = socket[CONNECTION];
  if (known) return known;
  const connection: Connection = { running: new Set(), idleListeners: [] };
  socket[CONNECTION] = connection;
  socket.once('close', () => {
    for (const exchange of [...connection.running]) exchange.end();
  });
  return connection;
}

/** A class, so that one closure does for each request: see `begin()`. */
class Running implements Exchange {
  readonly startedAt = performance.now();
  private isOver = false;
  private readonly listeners: (() => void)[] = [];

  constructor(private readonly connection: Connection) {
    connection.running.add(this);
  }

  onOver(listener: () => void): void {
    if (this.isOver) listener();
    else this.listeners.push(listener);
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    const { running, idleListeners } = this.connection;
    running.delete(this);
    for (const listener of this.listeners) listener();
    if (running.size > 0) return;
    for (const listener of idleListeners.splice(0)) listener();
  }
}

function begin(connection: Connection, res: ServerResponse, isLost: boolean): Exchange {
  const exchange = new Running(connection);
  res.on('close', () => {
    exchange.end();
  });
  if (isLost) exchange.end();
  return exchange;
}
