import { type ChunkLoan } from '../../../src/streaming/chunk-loan';
import { createChunkMemory, type ChunkMemory } from '../../../src/streaming/chunk-memory';

const SMALL = 32_768;
const LARGE = 262_144;
const MEGABYTE = 1_048_576;
/** Of a response too long to be read in large chunks from its start. */
const LONG = 100 * MEGABYTE;
const JUDGED_BYTES = 4 * MEGABYTE;
const MAX_KEPT = 32;
const MAX_LARGE_OUT = 64;
const SLOW_CHUNK_MS = 250;

let time: number;
let memory: ChunkMemory;

beforeEach(() => {
  time = 1_000;
  memory = createChunkMemory(() => time);
});

function lend(lengthBytes: number, connection: object = {}): ChunkLoan {
  return memory.lend({ connection, lengthBytes });
}

/** Reads and sends one chunk; returns its length. */
async function pass(loan: ChunkLoan, takesMs = 0): Promise<number> {
  const chunk = await loan.next();
  loan.handedOver();
  time += takesMs;
  loan.taken(chunk);
  return chunk.length;
}

/** Sends chunks until so many bytes are taken, each of them in the same time; returns their lengths. */
async function send(loan: ChunkLoan, bytes: number, msPerChunk: number): Promise<number[]> {
  const lengths: number[] = [];
  for (let sent = 0; sent < bytes; sent += lengths.at(-1) ?? 0) {
    lengths.push(await pass(loan, msPerChunk));
  }
  return lengths;
}

/** Whether the promise is settled once everything has happened that needs no more than promises. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = (): boolean => (settled = true);
  promise.then(settle, settle);
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

describe('take() and giveBack()', () => {
  it.each([
    [0, 16_384],
    [1, 16_384],
    [16_384, 16_384],
    [16_385, 32_768],
    [131_072, 131_072],
    [262_143, 262_144],
    [300_000, 524_288],
  ])('gives %d bytes as %d', (wanted, given) => {
    expect(memory.take(wanted)).toHaveLength(given);
  });

  it('uses again what was given back, for what fits it alone', () => {
    const buffer = memory.take(20_000);
    memory.giveBack(buffer);
    expect(memory.take(16_000)).not.toBe(buffer);
    expect(memory.take(40_000)).not.toBe(buffer);
    expect(memory.take(32_768)).toBe(buffer);
  });

  it('lends nothing twice', () => {
    memory.giveBack(memory.take(SMALL));
    expect(memory.take(SMALL)).not.toBe(memory.take(SMALL));
  });

  it('is not part of a pool, where others could be overwritten', () => {
    const buffer = memory.take(1);
    expect(buffer.byteOffset).toBe(0);
    expect(buffer.buffer.byteLength).toBe(buffer.length);
  });

  it(`keeps ${MAX_KEPT} of a size, and the rest goes`, () => {
    const buffers = Array.from({ length: MAX_KEPT + 8 }, () => memory.take(SMALL));
    for (const buffer of buffers) memory.giveBack(buffer);
    const again = Array.from({ length: MAX_KEPT + 8 }, () => memory.take(SMALL));
    expect(again.filter((buffer) => buffers.includes(buffer))).toHaveLength(MAX_KEPT);
    expect(new Set(again).size).toBe(MAX_KEPT + 8);
  });
});

describe('a loan', () => {
  it('has one chunk out at a time: the next comes when the socket has taken the last', async () => {
    const loan = lend(LONG);
    const first = await loan.next();
    const second = loan.next();
    expect(await isSettled(second)).toBe(false);
    loan.taken(first);
    expect(await second).toHaveLength(SMALL);
  });

  it('uses its memory again, also when the chunk was cut at its end', async () => {
    const loan = lend(LONG);
    const first = await loan.next();
    loan.taken(first.subarray(0, 10));
    expect(await loan.next()).toBe(first);
  });

  it('takes nothing back that is not its own', async () => {
    const [loan, other] = [lend(LONG), lend(LONG)];
    const chunk = await loan.next();
    const foreign = await other.next();
    const next = loan.next();
    loan.taken(Buffer.from('text between two parts'));
    loan.taken(foreign);
    expect(await isSettled(next)).toBe(false);
    expect(memory.take(SMALL)).not.toBe(foreign);
    loan.taken(chunk);
    expect(await next).toBe(chunk);
  });

  it('takes a chunk back once', async () => {
    const loan = lend(LONG);
    const chunk = await loan.next();
    loan.taken(chunk);
    loan.taken(chunk);
    expect(memory.take(SMALL)).toBe(chunk);
    expect(memory.take(SMALL)).not.toBe(chunk);
  });

  it('gives memory on to the next loan when it is closed with nothing out', async () => {
    const loan = lend(LONG);
    const chunk = await loan.next();
    loan.taken(chunk);
    loan.close();
    expect(await lend(LONG).next()).toBe(chunk);
  });

  it('never uses again what was out when it was closed: the socket may hold it still', async () => {
    const loan = lend(LONG);
    const chunk = await loan.next();
    loan.close();
    loan.taken(chunk);
    expect(memory.take(SMALL)).not.toBe(chunk);
  });

  it('lets nobody wait once it is closed, and gives nothing', async () => {
    const loan = lend(LONG);
    await loan.next();
    const waiting = loan.next();
    loan.close();
    await expect(waiting).rejects.toThrow('the response is over');
    await expect(loan.next()).rejects.toThrow('the response is over');
    loan.close();
  });
});

describe('the size of a chunk', () => {
  it('is large from the start for a response of no more than 1 MiB', async () => {
    expect(await pass(lend(MEGABYTE))).toBe(LARGE);
    expect(await pass(lend(MEGABYTE + 1))).toBe(SMALL);
  });

  it('is small for a client that is not known, until it has taken 4 MiB fast', async () => {
    const loan = lend(LONG);
    const lengths = await send(loan, JUDGED_BYTES, 1); // 32 kB a ms
    expect(new Set(lengths)).toEqual(new Set([SMALL]));
    expect(await pass(loan)).toBe(LARGE);
  });

  it.each([
    ['stays small below 8 MB/s', 4.2, SMALL],
    ['is large from 8 MB/s on', 4, LARGE],
  ])('%s', async (_name, msPerChunk, expected) => {
    const loan = lend(LONG);
    await send(loan, JUDGED_BYTES, msPerChunk);
    expect(await pass(loan)).toBe(expected);
  });

  it('is known of the connection, for the next response on it and for no other', async () => {
    const connection = {};
    await send(lend(LONG, connection), JUDGED_BYTES, 1);
    expect(await pass(lend(LONG, connection))).toBe(LARGE);
    expect(await pass(lend(LONG))).toBe(SMALL);
  });

  it('does not count the time between two responses', async () => {
    const connection = {};
    const first = lend(LONG, connection);
    await send(first, JUDGED_BYTES / 2, 1);
    first.close();
    time += 60_000;
    const second = lend(LONG, connection);
    await send(second, JUDGED_BYTES, 1);
    expect(await pass(second)).toBe(LARGE);
  });

  it(`is small again after one chunk that took more than ${SLOW_CHUNK_MS} ms`, async () => {
    const loan = lend(LONG);
    await send(loan, JUDGED_BYTES, 1);
    expect(await pass(loan, SLOW_CHUNK_MS)).toBe(LARGE);
    expect(await pass(loan, SLOW_CHUNK_MS + 1)).toBe(LARGE);
    expect(await pass(loan)).toBe(SMALL);
  });

  it('is small again for a client that has become slow', async () => {
    const loan = lend(LONG);
    await send(loan, JUDGED_BYTES, 1);
    await send(loan, JUDGED_BYTES, 100); // 2.6 kB a ms
    expect(await pass(loan)).toBe(SMALL);
  });

  describe(`with ${MAX_LARGE_OUT} large chunks out`, () => {
    let out: ChunkLoan[];
    let chunks: Buffer[];

    beforeEach(async () => {
      out = Array.from({ length: MAX_LARGE_OUT }, () => lend(MEGABYTE));
      chunks = await Promise.all(out.map((loan) => loan.next()));
      expect(chunks.every(({ length }) => length === LARGE)).toBe(true);
    });

    it('is small for all others', async () => {
      expect(await pass(lend(MEGABYTE))).toBe(SMALL);
    });

    it.each<[string, () => void]>([
      [
        'taken',
        () => {
          out[7]!.taken(chunks[7]!);
        },
      ],
      [
        'given up with its response',
        () => {
          out[7]!.close();
        },
      ],
    ])('is large again for one when one is %s', async (_how, end) => {
      end();
      const [first, second] = [lend(MEGABYTE), lend(MEGABYTE)];
      expect(await first.next()).toHaveLength(LARGE);
      expect(await second.next()).toHaveLength(SMALL);
    });

    it('is not large for two when one is taken and its response then closed', async () => {
      out[7]!.taken(chunks[7]!);
      out[7]!.close();
      out[7]!.close();
      expect(await lend(MEGABYTE).next()).toHaveLength(LARGE);
      expect(await lend(MEGABYTE).next()).toHaveLength(SMALL);
    });
  });
});
