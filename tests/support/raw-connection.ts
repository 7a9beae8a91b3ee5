import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from './until';

/** A connection on which a test says what it likes; a reset is one way of closing, no failure. */
export interface RawConnection {
  readonly socket: Socket;
  /** settles when the connection is closed, with the time that took from its start */
  readonly closedAfterMs: Promise<number>;
  /** all bytes so far */
  received(): Buffer;
  /** the same, one character a byte */
  text(): string;
  waitFor(text: string, timeoutMs?: number): Promise<void>;
  /** Settles with all that came until the server closed; fails when it does not close in time. */
  untilClosed(timeoutMs?: number): Promise<string>;
}

/** @param request written at once, as it is, one byte a character */
export async function openRaw(port: number, request = ''): Promise<RawConnection> {
  const startedAt = performance.now();
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  // with room to grow: whoever waits for much of an answer looks at it a hundred times a second
  let bytes = Buffer.alloc(65_536);
  let length = 0;
  let isClosed = false;
  socket.on('data', (chunk: Buffer) => {
    if (length + chunk.length > bytes.length) {
      const larger = Buffer.alloc(2 * (length + chunk.length));
      bytes.copy(larger, 0, 0, length);
      bytes = larger;
    }
    chunk.copy(bytes, length);
    length += chunk.length;
  });
  const received = (): Buffer => bytes.subarray(0, length);
  const closedAfterMs = new Promise<number>((resolve) => {
    socket.once('close', () => {
      isClosed = true;
      resolve(performance.now() - startedAt);
    });
  });
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  if (request !== '') socket.write(request, 'latin1');

  const text = (): string => received().toString('latin1');
  return {
    socket,
    closedAfterMs,
    received,
    text,
    waitFor: (wanted, timeoutMs) =>
      until(() => text().includes(wanted), `an answer with ${wanted}`, timeoutMs),
    async untilClosed(timeoutMs) {
      await until(() => isClosed, 'the server closes the connection', timeoutMs);
      return text();
    },
  };
}

/** A request with no content, as it goes over the wire. */
export function formatRequest(
  path: string,
  fields: Readonly<Record<string, string>> = {},
  method = 'GET',
): string {
  const lines = Object.entries({ Host: 'localhost', ...fields }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
