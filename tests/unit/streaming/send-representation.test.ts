import { once } from 'node:events';
import {
  Agent,
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type ByteRange } from '../../../src/streaming/byte-range';
import { type ByteSource } from '../../../src/streaming/representation';
import { type ResponsePlan, type Segment } from '../../../src/streaming/response-plan';
import { sendRepresentation, type SendOutcome } from '../../../src/streaming/send-representation';
import { patternedBytes } from '../../support/patterned-bytes';

const SLICE_BYTES = 65_536;

/** Patterned bytes, made when they are asked for; may end or fail early, and counts. */
class TestSource implements ByteSource {
  pulledBytes = 0;
  readonly streams: Readable[] = [];
  onPull: () => void = () => undefined;

  constructor(
    private readonly options: {
      /** position at which the bytes are over, or the error or the silence begins */
      readonly until?: number;
      readonly then?: 'end' | Error | 'nothing';
    } = {},
  ) {}

  read({ firstPos, lastPos }: ByteRange): Readable {
    const { until = Infinity, then = 'end' } = this.options;
    const end = Math.min(lastPos + 1, until);
    let at = firstPos;
    const stream = new Readable({
      highWaterMark: SLICE_BYTES,
      read: () => {
        if (at < end) {
          const length = Math.min(SLICE_BYTES, end - at);
          stream.push(patternedBytes(length, at));
          at += length;
          this.pulledBytes += length;
          this.onPull();
        } else if (end === lastPos + 1 || then === 'end') {
          stream.push(null);
        } else if (then !== 'nothing') {
          stream.destroy(then);
        }
      },
    });
    this.streams.push(stream);
    return stream;
  }
}

interface Sending {
  readonly res: ServerResponse;
  readonly outcome: Promise<SendOutcome>;
  readonly controller: AbortController;
  readonly counts: { sentBytes: number; firstBytes: number };
}

let server: Server;
let port: number;
let answer: (res: ServerResponse) => void;

beforeEach(async () => {
  server = createServer((_req, res) => {
    answer(res);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

/** The next request is answered by `plan` from `source`; resolves when the sending has begun. */
function serve(plan: ResponsePlan, source: ByteSource): Promise<Sending> {
  return new Promise((resolve) => {
    answer = (res) => {
      const controller = new AbortController();
      res.once('close', () => {
        if (!res.writableFinished) controller.abort();
      });
      const counts = { sentBytes: 0, firstBytes: 0 };
      const sending = sendRepresentation(res, plan, source, {
        signal: controller.signal,
        onFirstByte: () => (counts.firstBytes += 1),
        onSent: (bytes) => (counts.sentBytes += bytes),
      });
      resolve({ res, outcome: Promise.resolve(sending), controller, counts });
    };
  });
}

function slice(firstPos: number, lastPos: number): Segment {
  return { kind: 'slice', range: { firstPos, lastPos } };
}

function planOf(...segments: Segment[]): ResponsePlan {
  const contentLength = segments.reduce(
    (sum, segment) =>
      sum +
      (segment.kind === 'text'
        ? segment.text.length
        : segment.range.lastPos - segment.range.firstPos + 1),
    0,
  );
  const fields = { 'Content-Length': String(contentLength), 'X-Planned': 'yes' };
  return { status: 206, fields, segments, contentLength };
}

function get(agent?: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, agent: agent ?? false }, resolve)
      .on('error', reject)
      .end();
  });
}

/** A client that sends a request and then reads nothing until told to. */
async function connectStalled(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').pause();
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  return socket;
}

/** Resolves when nothing has moved for many turns of the event loop. */
async function untilStill(value: () => number): Promise<void> {
  let seen = value();
  for (let turns = 0; turns < 2_000; turns += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    if (value() !== seen) turns = 0;
    seen = value();
  }
}

describe('sendRepresentation()', () => {
  it.each<[string, Segment[], Buffer]>([
    ['one slice', [slice(0, 99)], patternedBytes(100)],
    ['one byte', [slice(7, 7)], patternedBytes(1, 7)],
    ['a long slice', [slice(5, 3_000_004)], patternedBytes(3_000_000, 5)],
    [
      'text and slices in turn',
      [
        { kind: 'text', text: 'one\r\n' },
        slice(0, 199_999),
        { kind: 'text', text: '\r\ntwo\r\n' },
        slice(1_000_000, 1_000_000),
        { kind: 'text', text: '\r\nend' },
      ],
      Buffer.concat([
        Buffer.from('one\r\n'),
        patternedBytes(200_000),
        Buffer.from('\r\ntwo\r\n'),
        patternedBytes(1, 1_000_000),
        Buffer.from('\r\nend'),
      ]),
    ],
    ['nothing', [], Buffer.alloc(0)],
  ])('sends %s byte for byte and counts it', async (_what, segments, expected) => {
    const source = new TestSource();
    const sending = serve(planOf(...segments), source);

    const response = await get();
    const content = await buffer(response);
    expect(content.equals(expected)).toBe(true);
    expect(response.statusCode).toBe(206);
    expect(response.headers['x-planned']).toBe('yes');
    expect(response.headers['content-length']).toBe(String(expected.length));
    expect(response.headers['transfer-encoding']).toBeUndefined();

    const { outcome, counts } = await sending;
    expect(await outcome).toEqual({ kind: 'complete' });
    expect(counts).toEqual({ sentBytes: expected.length, firstBytes: 1 });
    expect(source.streams.every((stream) => stream.destroyed)).toBe(true);
  });

  it('leaves the connection fit for the next request', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports: (number | undefined)[] = [];
    for (let round = 0; round < 20; round += 1) {
      const sending = serve(planOf(slice(round, round + 100_000)), new TestSource());
      const response = await get(agent);
      ports.push(response.socket.localPort);
      expect((await buffer(response)).equals(patternedBytes(100_001, round))).toBe(true);
      expect(await (await sending).outcome).toEqual({ kind: 'complete' });
    }
    expect(new Set(ports).size).toBe(1);
    agent.destroy();
  });

  describe('with a source that ends early', () => {
    it('says so, and writes nothing more', async () => {
      const source = new TestSource({ until: 150_000 });
      const plan = planOf(slice(0, 199_999), { kind: 'text', text: 'never' }, slice(0, 9));
      const sending = serve(plan, source);
      const response = await get();
      const received: Buffer[] = [];
      response.on('data', (chunk: Buffer) => received.push(chunk));
      const broken = once(response, 'error');

      const { outcome, res, counts } = await sending;
      expect(await outcome).toEqual({ kind: 'short-read' });
      expect(counts.sentBytes).toBe(150_000);
      expect(source.streams).toHaveLength(1);
      expect(res.writableEnded).toBe(false);

      // what the caller has to do; the client must see that something is missing
      res.destroy();
      expect(await broken).toEqual([expect.objectContaining({ code: 'ECONNRESET' })]);
      expect(Buffer.concat(received).equals(patternedBytes(150_000))).toBe(true);
    });

    it('leaves the response untouched when there was no byte at all', async () => {
      const sending = serve(planOf(slice(0, 99)), new TestSource({ until: 0 }));
      const received = get();
      const { outcome, res, counts } = await sending;
      expect(await outcome).toEqual({ kind: 'short-read' });
      expect(res.headersSent).toBe(false);
      expect(counts.firstBytes).toBe(0);

      res.writeHead(503).end('sorry');
      const response = await received;
      expect(response.statusCode).toBe(503);
      expect(response.headers['x-planned']).toBeUndefined();
      expect((await buffer(response)).toString()).toBe('sorry');
    });

    it('notices in a later part', async () => {
      const source = new TestSource({ until: 600_000 });
      const plan = planOf(slice(0, 99), { kind: 'text', text: '|' }, slice(599_999, 600_000));
      const sending = serve(plan, source);
      const response = await get();
      response.on('error', () => undefined).resume();
      const { outcome, res } = await sending;
      expect(await outcome).toEqual({ kind: 'short-read' });
      expect(res.writableEnded).toBe(false);
      res.destroy();
    });
  });

  describe('with a source that fails', () => {
    it('leaves the response untouched when it fails before the first byte', async () => {
      const failure = new Error('EIO');
      const sending = serve(planOf(slice(0, 99)), new TestSource({ until: 0, then: failure }));
      const received = get();
      const { outcome, res, counts } = await sending;
      expect(await outcome).toEqual({ kind: 'read-failed', error: failure });
      expect(res.headersSent).toBe(false);
      expect(counts.firstBytes).toBe(0);

      res.writeHead(503).end();
      expect((await received).statusCode).toBe(503);
    });

    it('leaves the response untouched when it cannot be read at all', async () => {
      const failure = new Error('closed');
      const sending = serve(planOf(slice(0, 99)), {
        read: () => {
          throw failure;
        },
      });
      const received = get();
      const { outcome, res } = await sending;
      expect(await outcome).toEqual({ kind: 'read-failed', error: failure });
      expect(res.headersSent).toBe(false);
      res.writeHead(503).end();
      expect((await received).statusCode).toBe(503);
    });

    it('says so when it fails later, and writes nothing more', async () => {
      const failure = new Error('EIO');
      const source = new TestSource({ until: 150_000, then: failure });
      const sending = serve(planOf(slice(0, 199_999), { kind: 'text', text: 'never' }), source);
      const response = await get();
      const received: Buffer[] = [];
      response.on('data', (chunk: Buffer) => received.push(chunk));
      const broken = once(response, 'error');

      const { outcome, res } = await sending;
      expect(await outcome).toEqual({ kind: 'read-failed', error: failure });
      expect(res.headersSent).toBe(true);
      expect(res.writableEnded).toBe(false);
      res.destroy();
      await broken;
      const content = Buffer.concat(received);
      expect(content.equals(patternedBytes(content.length))).toBe(true);
      expect(content.length).toBeLessThanOrEqual(150_000);
    });
  });

  describe('with a client that leaves', () => {
    it('while bytes flow: destroys the source', async () => {
      const source = new TestSource();
      const sending = serve(planOf(slice(0, 10_000_000_000)), source);
      const response = await get();
      response.on('error', () => undefined);
      await once(response, 'data');
      response.destroy();

      const begun = await sending;
      expect(await begun.outcome).toEqual({ kind: 'client-left' });
      expect(source.streams).toHaveLength(1);
      expect(source.streams[0]?.destroyed).toBe(true);
      expect(begun.counts.sentBytes).toBeLessThanOrEqual(source.pulledBytes);
    });

    it('while it takes nothing: destroys the source', async () => {
      const source = new TestSource();
      const sending = serve(planOf(slice(0, 10_000_000_000)), source);
      const client = await connectStalled();
      const { outcome } = await sending;
      await untilStill(() => source.pulledBytes);
      client.destroy();
      expect(await outcome).toEqual({ kind: 'client-left' });
      expect(source.streams[0]?.destroyed).toBe(true);
    });

    it('while the source is silent, before the first byte', async () => {
      const source = new TestSource({ until: 0, then: 'nothing' });
      const sending = serve(planOf(slice(0, 99)), source);
      const client = await connectStalled();
      const { outcome, res, counts } = await sending;
      client.destroy();
      expect(await outcome).toEqual({ kind: 'client-left' });
      expect(source.streams[0]?.destroyed).toBe(true);
      expect(res.headersSent).toBe(false);
      expect(counts.firstBytes).toBe(0);
    });

    it('while the source is silent, in the middle', async () => {
      const source = new TestSource({ until: 1_000, then: 'nothing' });
      const sending = serve(planOf(slice(0, 1_999)), source);
      const response = await get();
      response.on('error', () => undefined);
      await once(response, 'data');
      response.destroy();
      expect(await (await sending).outcome).toEqual({ kind: 'client-left' });
      expect(source.streams[0]?.destroyed).toBe(true);
    });

    it('between two parts: leaves no stream open', async () => {
      const source = new TestSource();
      const plan = planOf(slice(0, 99), slice(1_000, 1_099), slice(2_000, 2_099));
      const sending = serve(plan, source);
      source.onPull = () => {
        if (source.streams.length === 2)
          void sending.then(({ controller }) => {
            controller.abort();
          });
      };
      const client = await connectStalled();
      expect(await (await sending).outcome).toEqual({ kind: 'client-left' });
      expect(source.streams.every((stream) => stream.destroyed)).toBe(true);
      client.destroy();
    });

    it('before anything began: leaves no stream open', async () => {
      const source = new TestSource();
      const outcome = new Promise<SendOutcome>((resolve) => {
        answer = (res) => {
          const signal = AbortSignal.abort();
          resolve(sendRepresentation(res, planOf(slice(0, 99)), source, { signal }));
        };
      });
      const client = await connectStalled();
      expect(await outcome).toEqual({ kind: 'client-left' });
      expect(source.streams.every((stream) => stream.destroyed)).toBe(true);
      client.destroy();
    });

    it('is not blamed for a source that fails first', async () => {
      const failure = new Error('EIO');
      const source = new TestSource({ until: 100, then: failure });
      const sending = serve(planOf(slice(0, 999)), source);
      const response = await get();
      response.on('error', () => undefined).resume();
      const { outcome, res } = await sending;
      expect(await outcome).toEqual({ kind: 'read-failed', error: failure });
      response.destroy();
      res.destroy();
    });
  });

  it('holds the source back while the client takes nothing, and loses no byte', async () => {
    const totalBytes = 48 * 1024 * 1024;
    const source = new TestSource();
    const sending = serve(planOf(slice(0, totalBytes - 1)), source);
    const client = await connectStalled();
    const { res, outcome } = await sending;
    const socket = res.socket!;
    const waitingBytes = (): number =>
      source.pulledBytes - (socket.bytesWritten - socket.writableLength);
    let mostWaitingBytes = 0;
    source.onPull = () => {
      mostWaitingBytes = Math.max(mostWaitingBytes, waitingBytes());
    };

    await untilStill(() => source.pulledBytes);
    // the kernel has its fill, and there is much left
    expect(socket.writableLength).toBeGreaterThan(0);
    expect(source.pulledBytes).toBeLessThan(totalBytes / 2);

    let receivedBytes = -1;
    let isEqual = true;
    let head = '';
    client.on('data', (chunk: Buffer) => {
      if (receivedBytes < 0) {
        head += chunk.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        chunk = Buffer.from(head.slice(end + 4), 'latin1');
        receivedBytes = 0;
      }
      isEqual &&= chunk.equals(patternedBytes(chunk.length, receivedBytes));
      receivedBytes += chunk.length;
      if (receivedBytes === totalBytes) client.end();
    });
    client.resume();
    await once(client, 'close');

    expect(await outcome).toEqual({ kind: 'complete' });
    expect(receivedBytes).toBe(totalBytes);
    expect(isEqual).toBe(true);
    // one slice on its way, one read ahead
    expect(mostWaitingBytes).toBeLessThanOrEqual(4 * SLICE_BYTES);
  });
});
