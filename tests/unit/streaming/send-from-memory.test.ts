import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { lengthOf, type ByteRange } from '../../../src/streaming/byte-range';
import { createChunkMemory, type ChunkMemory } from '../../../src/streaming/chunk-memory';
import { type ByteSource, type BytesInMemory } from '../../../src/streaming/representation';
import { type ResponsePlan } from '../../../src/streaming/response-plan';
import { sendRepresentation, type SendOutcome } from '../../../src/streaming/send-representation';
import { patternedBytes } from '../../support/patterned-bytes';
import { openRaw } from '../../support/raw-connection';
import { until } from '../../support/until';

const ONE_READ_BYTES = 131_072;
const PIECE_BYTES = 262_144;
/** More than all kernel buffers on the way to a client that reads nothing. */
const LONG_BYTES = 32 * 1_048_576;

/** Memory that shows at once when it is looked at after its release. */
class LentBytes implements BytesInMemory {
  released = 0;

  constructor(readonly pieces: readonly Uint8Array[]) {}

  release(): void {
    this.released += 1;
    for (const piece of this.pieces) piece.fill(0xff);
  }
}

function lendBytes(range: ByteRange, pieces = 1): LentBytes {
  const bytes = patternedBytes(lengthOf(range), range.firstPos);
  const length = Math.ceil(bytes.length / pieces);
  return new LentBytes(
    Array.from({ length: pieces }, (_, i) => bytes.subarray(i * length, (i + 1) * length)),
  );
}

/** A source that must not be streamed from. */
function withoutStream(source: Omit<ByteSource, 'read'>): ByteSource {
  return {
    read: () => {
      throw new Error('was streamed from');
    },
    ...source,
  };
}

interface Sending {
  readonly res: ServerResponse;
  readonly outcome: Promise<SendOutcome>;
  readonly controller: AbortController;
  readonly counts: { sentBytes: number; firstBytes: number };
}

let server: Server;
let port: number;
let waiting: ((res: ServerResponse) => void)[];

beforeEach(async () => {
  waiting = [];
  server = createServer((_req, res) => waiting.shift()?.(res)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

/** The next request is answered with these bytes of the source. */
function serve(range: ByteRange, source: ByteSource, memory?: ChunkMemory): Promise<Sending> {
  const contentLength = lengthOf(range);
  const plan: ResponsePlan = {
    status: 206,
    fields: { 'Content-Length': String(contentLength) },
    segments: [{ kind: 'slice', range }],
    contentLength,
  };
  return new Promise((resolve) => {
    waiting.push((res) => {
      const controller = new AbortController();
      const end = (): void => {
        if (!res.writableFinished) controller.abort();
      };
      res.once('close', end);
      res.req.socket.once('close', end);
      const counts = { sentBytes: 0, firstBytes: 0 };
      const sending = sendRepresentation(res, plan, source, {
        signal: controller.signal,
        ...(memory ? { memory } : {}),
        onFirstByte: () => (counts.firstBytes += 1),
        onSent: (bytes) => (counts.sentBytes += bytes),
      });
      resolve({ res, outcome: Promise.resolve(sending), controller, counts });
    });
  });
}

function get(): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, agent: false }, resolve).on('error', reject).end();
  });
}

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

/** Lets everything happen that nobody has to wait for. */
async function settleDown(): Promise<void> {
  for (let turns = 0; turns < 100; turns += 1) await new Promise((done) => setImmediate(done));
}

describe('sendRepresentation() from memory', () => {
  const range = { firstPos: 100, lastPos: 100 + ONE_READ_BYTES - 1 };

  it.each([
    ['readAtOnce', 1],
    ['readAtOnce', 3],
    ['readNow', 1],
    ['readNow', 3],
  ])('sends what %s gives in %d pieces, and then releases it once', async (name, pieces) => {
    const bytes = lendBytes(range, pieces);
    const source = withoutStream(
      name === 'readNow' ? { readNow: () => bytes } : { readAtOnce: () => Promise.resolve(bytes) },
    );
    const sending = serve(range, source);
    const response = await get();
    expect((await buffer(response)).equals(patternedBytes(ONE_READ_BYTES, 100))).toBe(true);
    const { outcome, counts } = await sending;
    expect(await outcome).toEqual({ kind: 'complete' });
    await until(() => bytes.released > 0, 'the release');
    expect(bytes.released).toBe(1);
    expect(counts).toEqual({ sentBytes: ONE_READ_BYTES, firstBytes: 1 });
  });

  it('asks for what is in memory first, then for one read, for any single range it may', async () => {
    const asked: string[] = [];
    const source: ByteSource = {
      readNow: () => void asked.push('now'),
      readAtOnce: (wanted) => {
        asked.push('at once');
        return Promise.resolve(lendBytes(wanted));
      },
      read: ({ firstPos, lastPos }) => {
        asked.push('stream');
        return Readable.from([patternedBytes(lastPos - firstPos + 1, firstPos)]);
      },
    };
    for (const lengthBytes of [ONE_READ_BYTES, ONE_READ_BYTES + 1]) {
      const sending = serve({ firstPos: 0, lastPos: lengthBytes - 1 }, source);
      const content = await buffer(await get());
      expect(content.equals(patternedBytes(lengthBytes))).toBe(true);
      expect(await (await sending).outcome).toEqual({ kind: 'complete' });
    }
    // of what is long first all is asked for, then its beginning
    expect(asked).toEqual(['now', 'at once', 'now', 'now', 'stream']);
  });

  it('sends as much of the beginning as is in memory piece by piece, and streams the rest', async () => {
    const inMemory: LentBytes[] = [];
    const streamed: ByteRange[] = [];
    const source: ByteSource = {
      readNow: (wanted) => {
        if (lengthOf(wanted) > PIECE_BYTES || wanted.firstPos >= 3 * PIECE_BYTES) return undefined;
        // the last is to be released as those before it
        expect(inMemory.every(({ released }) => released === 1)).toBe(true);
        inMemory.push(lendBytes(wanted, 2));
        return inMemory.at(-1);
      },
      read: (wanted) => {
        streamed.push(wanted);
        return Readable.from([patternedBytes(lengthOf(wanted), wanted.firstPos)]);
      },
    };
    for (const lastPos of [5 * PIECE_BYTES + 7, 2 * PIECE_BYTES + 7]) {
      const sending = serve({ firstPos: 100, lastPos }, source);
      const content = await buffer(await get());
      expect(content.equals(patternedBytes(lastPos - 99, 100))).toBe(true);
      const { outcome, counts } = await sending;
      expect(await outcome).toEqual({ kind: 'complete' });
      expect(counts).toEqual({ sentBytes: lastPos - 99, firstBytes: 1 });
    }
    expect(inMemory).toHaveLength(3 + 2);
    expect(streamed).toEqual([{ firstPos: 3 * PIECE_BYTES + 100, lastPos: 5 * PIECE_BYTES + 7 }]);
  });

  it('gives a client that takes nothing one piece after the kernels are full, and leaves with it', async () => {
    let asked = 0;
    const source = withoutStream({
      readNow: (wanted) => {
        if (lengthOf(wanted) > PIECE_BYTES) return undefined;
        asked += 1;
        return lendBytes(wanted);
      },
    });
    const sending = serve({ firstPos: 0, lastPos: 8 * LONG_BYTES - 1 }, source);
    const response = await get();
    response.on('error', () => undefined);
    const { res, outcome } = await sending;
    let before = -1;
    await until(async () => {
      const isStill = asked === before;
      before = asked;
      await new Promise((done) => setTimeout(done, 200));
      return isStill && res.socket!.writableLength > 0;
    }, 'nothing goes out any more');
    expect(res.socket!.writableLength).toBeLessThan(2 * PIECE_BYTES);
    response.destroy();
    expect(await outcome).toEqual({ kind: 'client-left' });
  });

  it('keeps the memory until a slow client has let go of the last byte', async () => {
    const long = { firstPos: 0, lastPos: LONG_BYTES - 1 };
    const bytes = lendBytes(long, 2);
    const sending = serve(long, withoutStream({ readNow: () => bytes }));
    const response = await get();
    const { res, counts } = await sending;
    await settleDown();
    // much of it is still to be sent, from this very memory
    expect(res.socket!.writableLength).toBeGreaterThan(0);
    expect(bytes.released).toBe(0);
    expect((await buffer(response)).equals(patternedBytes(LONG_BYTES))).toBe(true);
    await until(() => bytes.released > 0, 'the release');
    expect(bytes.released).toBe(1);
    expect(counts.sentBytes).toBe(LONG_BYTES);
  });

  it('keeps the memory of a response that waits for the one before it', async () => {
    let endFirst: () => void = () => undefined;
    const first = serve(
      { firstPos: 0, lastPos: 9 },
      {
        read: () => {
          const stream = new Readable({ read: () => undefined });
          endFirst = () => {
            stream.push(patternedBytes(10));
            stream.push(null);
          };
          return stream;
        },
      },
    );
    const bytes = lendBytes(range);
    const second = serve(range, withoutStream({ readAtOnce: () => Promise.resolve(bytes) }));
    const client = await openRaw(port, GET + GET);
    await first;
    expect(await (await second).outcome).toEqual({ kind: 'complete' });
    await settleDown();
    expect(bytes.released).toBe(0);
    endFirst();
    const end = patternedBytes(ONE_READ_BYTES, 100);
    await until(() => client.received().subarray(-end.length).equals(end), 'both answers');
    await until(() => bytes.released > 0, 'the release');
    expect(bytes.released).toBe(1);
    client.socket.destroy();
  });

  it('looks at no memory of a lost connection any more, and releases it once at the most', async () => {
    const long = { firstPos: 0, lastPos: LONG_BYTES - 1 };
    const bytes = lendBytes(long);
    const sending = serve(long, withoutStream({ readNow: () => bytes }));
    const response = await get();
    response.on('error', () => undefined);
    const { res } = await sending;
    await settleDown();
    expect(bytes.released).toBe(0);
    response.destroy();
    await until(() => res.destroyed, 'the end of the response');
    await settleDown();
    // Node 20 says of a write that was given up that it went well, and 24 that it did not
    expect(bytes.released).toBeLessThanOrEqual(1);
  });

  it('releases what was read for a client who left meanwhile, and sends none of it', async () => {
    const bytes = lendBytes(range);
    let endReading: (bytes: BytesInMemory) => void = () => undefined;
    const sending = serve(
      range,
      withoutStream({ readAtOnce: () => new Promise((resolve) => (endReading = resolve)) }),
    );
    const client = await openRaw(port, GET);
    const { res, outcome, controller, counts } = await sending;
    client.socket.destroy();
    await until(() => controller.signal.aborted, 'the server has noticed');
    endReading(bytes);
    expect(await outcome).toEqual({ kind: 'client-left' });
    expect(bytes.released).toBe(1);
    expect(res.headersSent).toBe(false);
    expect(counts).toEqual({ sentBytes: 0, firstBytes: 0 });
  });

  it.each([1, ONE_READ_BYTES])(
    'releases a read that is %d bytes short, and leaves the response untouched',
    async (missing) => {
      const bytes = lendBytes({ ...range, lastPos: range.lastPos - missing });
      const sending = serve(range, withoutStream({ readAtOnce: () => Promise.resolve(bytes) }));
      const received = get();
      const { res, outcome } = await sending;
      expect(await outcome).toEqual({ kind: 'short-read' });
      expect(bytes.released).toBe(1);
      expect(res.headersSent).toBe(false);
      res.writeHead(503).end();
      expect((await received).statusCode).toBe(503);
    },
  );

  it.each<[string, () => Promise<BytesInMemory>]>([
    ['rejects', () => Promise.reject(new Error('EIO'))],
    [
      'throws',
      () => {
        throw new Error('EIO');
      },
    ],
  ])('leaves the response untouched when the read %s', async (_how, readAtOnce) => {
    const sending = serve(range, withoutStream({ readAtOnce }));
    const received = get();
    const { res, outcome } = await sending;
    expect(await outcome).toMatchObject({ kind: 'read-failed', error: { message: 'EIO' } });
    expect(res.headersSent).toBe(false);
    res.writeHead(503).end();
    expect((await received).statusCode).toBe(503);
  });

  it('blames a failed read on the client who left before it', async () => {
    let failReading: (error: Error) => void = () => undefined;
    const readAtOnce = (): Promise<BytesInMemory> =>
      new Promise((_resolve, reject) => (failReading = reject));
    const sending = serve(range, withoutStream({ readAtOnce }));
    const client = await openRaw(port, GET);
    const { outcome, controller } = await sending;
    client.socket.destroy();
    await until(() => controller.signal.aborted, 'the server has noticed');
    failReading(new Error('the track is closed'));
    expect(await outcome).toEqual({ kind: 'client-left' });
  });
});

describe('sendRepresentation() with lent chunks', () => {
  const long = { firstPos: 7, lastPos: LONG_BYTES + 6 };

  /** The chunk memory, with what is asked of its loans. */
  function watchLoans(): ChunkMemory & { readonly out: Set<ArrayBufferLike>; closed: number } {
    const memory = createChunkMemory();
    const watched = {
      ...memory,
      out: new Set<ArrayBufferLike>(),
      closed: 0,
      lend(options: Parameters<ChunkMemory['lend']>[0]) {
        const loan = memory.lend(options);
        return {
          async next() {
            const chunk = await loan.next();
            watched.out.add(chunk.buffer);
            return chunk;
          },
          handedOver() {
            loan.handedOver();
          },
          taken(chunk: Uint8Array) {
            watched.out.delete(chunk.buffer);
            // nobody may look at it from now on
            if (chunk.buffer.byteLength > 16_384) new Uint8Array(chunk.buffer).fill(0xff);
            loan.taken(chunk);
          },
          close() {
            watched.closed += 1;
            loan.close();
          },
        };
      },
    };
    return watched;
  }

  /** Patterned bytes, read into what is lent; may fail on the way. */
  function readInto(failAt = Infinity): ByteSource {
    return {
      read({ firstPos, lastPos }, _signal, into) {
        const chunks = async function* () {
          let at = firstPos;
          while (at <= lastPos) {
            if (at >= failAt) throw new Error('EIO');
            const chunk = await into!(at);
            const length = Math.min(chunk.length, lastPos - at + 1);
            patternedBytes(length, at).copy(chunk);
            at += length;
            yield chunk.subarray(0, length);
          }
        };
        return Readable.from(chunks(), { objectMode: false, highWaterMark: 1 });
      },
    };
  }

  it('gives a chunk back when the socket has taken it, and has one out at a time', async () => {
    const memory = watchLoans();
    const sending = serve(long, readInto(), memory);
    const response = await get();
    await sending;
    await settleDown();
    expect(memory.out.size).toBe(1); // the client takes nothing
    expect((await buffer(response)).equals(patternedBytes(LONG_BYTES, 7))).toBe(true);
    const { outcome, counts } = await sending;
    expect(await outcome).toEqual({ kind: 'complete' });
    expect(counts.sentBytes).toBe(LONG_BYTES);
    expect(memory.out.size).toBe(0);
    expect(memory.closed).toBeGreaterThan(0);
  });

  it.each(['while it takes nothing', 'while bytes flow'])(
    'ends the loan when the client leaves %s',
    async (when) => {
      const memory = watchLoans();
      const sending = serve(long, readInto(), memory);
      const response = await get();
      response.on('error', () => undefined);
      if (when === 'while bytes flow') await once(response, 'data');
      response.destroy();
      expect(await (await sending).outcome).toEqual({ kind: 'client-left' });
      expect(memory.closed).toBeGreaterThan(0);
    },
  );

  it.each([7, 1_000_000])('ends the loan when the source fails at %d', async (failAt) => {
    const memory = watchLoans();
    const sending = serve(long, readInto(failAt), memory);
    const received = get().then(
      (response) => response.on('error', () => undefined).resume(),
      () => undefined,
    );
    const { res, outcome } = await sending;
    expect(await outcome).toMatchObject({ kind: 'read-failed' });
    expect(memory.closed).toBeGreaterThan(0);
    res.destroy();
    await received;
  });
});
