import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

/** An answer, and when it came, in milliseconds from the last byte of the request. */
export interface Answer {
  readonly status: number;
  /** by lower-case name */
  readonly fields: ReadonlyMap<string, string>;
  readonly contentBytes: number;
  /** empty unless it was asked for */
  readonly content: Buffer;
  readonly firstByteMs: number;
  readonly lastByteMs: number;
}

export interface ExchangeOptions {
  readonly keepContent?: boolean;
  /** leave after so many bytes of content, as a player does that skips; the connection is over then */
  readonly abortAfterBytes?: number;
}

/** One connection, one exchange after the other. Made for measuring: it buffers no content. */
export interface HttpConnection {
  /** @throws when the connection ends before the answer does, or the answer has no length */
  exchange(request: string, options?: ExchangeOptions): Promise<Answer>;
  isOpen(): boolean;
  close(): void;
}

/** Nothing that is measured here takes longer; who does is broken, not slow. */
const EXCHANGE_TIMEOUT_MS = 30_000;
const HEAD_END = Buffer.from('\r\n\r\n');

export async function openHttpConnection(port: number): Promise<HttpConnection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  // between exchanges an error is a connection that is no longer open, and seen as that
  socket.on('error', () => undefined);
  return {
    exchange: (request, options = {}) => exchange(socket, request, options),
    isOpen: () => socket.writable && !socket.readableEnded,
    close: () => socket.destroy(),
  };
}

interface Head {
  readonly status: number;
  readonly fields: ReadonlyMap<string, string>;
  /** of content; undefined when the answer does not say */
  readonly lengthBytes: number | undefined;
}

function exchange(socket: Socket, request: string, options: ExchangeOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const kept: Buffer[] = [];
    let pending = Buffer.alloc(0);
    let head: Head | undefined;
    let contentBytes = 0;
    let firstByteAt = 0;
    let sentAt = 0;

    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('close', onClose);
      finish();
    };
    const fail = (reason: string): void => {
      settle(() => {
        socket.destroy();
        reject(new Error(reason));
      });
    };
    const onClose = (): void => {
      fail(`the connection ended after ${contentBytes} bytes of content`);
    };
    const timer = setTimeout(() => {
      fail(`no complete answer within ${EXCHANGE_TIMEOUT_MS} ms`);
    }, EXCHANGE_TIMEOUT_MS);

    const take = (content: Buffer, { status, fields, lengthBytes = 0 }: Head): void => {
      contentBytes += content.length;
      if (options.keepContent) kept.push(content);
      const isAborted = contentBytes >= (options.abortAfterBytes ?? Infinity);
      if (contentBytes < lengthBytes && !isAborted) return;
      const lastByteMs = performance.now() - sentAt;
      settle(() => {
        if (isAborted) socket.destroy();
        const firstByteMs = firstByteAt - sentAt;
        const content = Buffer.concat(kept);
        resolve({ status, fields, contentBytes, content, firstByteMs, lastByteMs });
      });
    };
    const onData = (chunk: Buffer): void => {
      if (firstByteAt === 0) firstByteAt = performance.now();
      if (head) {
        take(chunk, head);
        return;
      }
      pending = Buffer.concat([pending, chunk]);
      const end = pending.indexOf(HEAD_END);
      if (end < 0) return;
      head = parseHead(pending.toString('latin1', 0, end));
      if (head.lengthBytes === undefined) fail('the answer has no Content-Length');
      else take(pending.subarray(end + HEAD_END.length), head);
    };

    socket.on('data', onData).on('close', onClose);
    socket.write(request, 'latin1');
    sentAt = performance.now();
  });
}

function parseHead(text: string): Head {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const status = Number(statusLine.split(' ')[1]);
  const fields = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  // a 304 tells the length of what it does not send (RFC 9110 §8.6)
  const length = status === 304 ? '0' : fields.get('content-length');
  return { status, fields, lengthBytes: length === undefined ? undefined : Number(length) };
}
