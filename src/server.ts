import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type Socket } from 'node:net';
import { type Container } from './container';
import { answerParserErrors } from './middleware/parser-errors';

/** Longer than the idle time of any proxy in front: it must never send into our closing. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
/** How often Node looks for the two above; the default of 30 s makes them ninety. */
const CONNECTIONS_CHECK_MS = 1_000;
/** How often connections that have become idle are closed while the server drains. */
const DRAIN_CHECK_MS = 100;

export interface HttpServer {
  /** not listening yet */
  readonly server: Server;
  /**
   * Stops accepting, lets running responses finish, and cuts what is left after `timeoutMs`.
   *
   * @returns how many connections had to be cut
   */
  drain(timeoutMs: number): Promise<number>;
}

/** The HTTP server around the app. */
export function createHttpServer(app: RequestListener, { logger, config }: Container): HttpServer {
  const server = createServer(
    {
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
      // checked by us, and answered like every other error
      requireHostHeader: false,
    },
    app,
  );
  // a client that asks before it sends content is refused by the app instead of told to go on;
  // other expectations are none of ours and may be ignored (RFC 9110 §10.1.1)
  for (const event of ['checkContinue', 'checkExpectation']) {
    server.on(event, (req: IncomingMessage, res: ServerResponse) => {
      server.emit('request', req, res);
    });
  }
  answerParserErrors(server, { logger, corsOrigin: config.corsOrigin });

  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return { server, drain: (timeoutMs) => drain(server, sockets, timeoutMs) };
}

async function drain(
  server: Server,
  sockets: ReadonlySet<Socket>,
  timeoutMs: number,
): Promise<number> {
  // a response that ends now must not be followed by another on its connection
  server.prependListener('request', (_req: IncomingMessage, res: ServerResponse) => {
    res.setHeader('Connection', 'close');
  });
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  // Node does not count a connection as idle before its first request
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  const idleTimer = setInterval(() => {
    server.closeIdleConnections();
  }, DRAIN_CHECK_MS);

  let cut = 0;
  const deadline = setTimeout(() => {
    cut = sockets.size;
    server.closeAllConnections();
  }, timeoutMs);

  await closed;
  clearInterval(idleTimer);
  clearTimeout(deadline);
  // Node says so before its sockets do: who waits for a response must know first that it is cut,
  // or takes what is closed next for a failure of the track
  await Promise.all([...sockets].map(untilClosed));
  return cut;
}

function untilClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
}
