import { type ChunkLoan } from '../../../src/streaming/chunk-loan';
import { createChunkMemory, type ChunkMemory } from '../../../src/streaming/chunk-memory';

/** Turns of the event loop in which whatever may begin has begun. */
const SETTLED_AFTER = 20;
const LONG_BYTES = 10_000_000;
/** As many as may read at once, and some more. */
const CROWD = 10;
const PLACES = 3;

let memory: ChunkMemory;

beforeEach(() => {
  memory = createChunkMemory();
});

/** A loan whose response is past its beginning. */
async function lendToGrown(): Promise<ChunkLoan> {
  const loan = memory.lend({ connection: {}, lengthBytes: LONG_BYTES });
  const chunk = await loan.next();
  loan.handedOver();
  loan.taken(chunk);
  return loan;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLED_AFTER; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Asks for a chunk of each; what came is found by the loan's place. */
function askAll(loans: readonly ChunkLoan[]): Map<number, Buffer> {
  const got = new Map<number, Buffer>();
  loans.forEach((loan, index) => {
    loan.next().then(
      (chunk) => got.set(index, chunk),
      () => undefined,
    );
  });
  return got;
}

describe('a loan of memory', () => {
  it('lets few long responses read at once, the others one after the other', async () => {
    const loans = await Promise.all(Array.from({ length: CROWD }, lendToGrown));
    const got = askAll(loans);
    await settle();
    expect([...got.keys()]).toEqual([0, 1, 2]);

    loans[1]?.handedOver(); // its client may take it in an hour: nobody waits for that
    await settle();
    expect([...got.keys()]).toEqual([0, 1, 2, 3]);
  });

  it('lets a response begin at once while long ones wait for their turn', async () => {
    const loans = await Promise.all(Array.from({ length: CROWD }, lendToGrown));
    askAll(loans);
    const young = memory.lend({ connection: {}, lengthBytes: LONG_BYTES });
    await expect(young.next()).resolves.toBeInstanceOf(Buffer);
  });

  it.each([
    ['while it reads', 0],
    ['while it waits', PLACES],
  ])('keeps nobody from reading when its response ends %s', async (_when, index) => {
    const loans = await Promise.all(Array.from({ length: PLACES + 2 }, lendToGrown));
    const got = askAll(loans);
    await settle();
    loans[index]?.close();
    if (index > 0) loans[0]?.handedOver();
    await settle();
    expect(got.has(index === 0 ? PLACES : PLACES + 1)).toBe(true);
  });

  it('gives no second chunk before the first is taken, and rejects once it is closed', async () => {
    const loan = memory.lend({ connection: {}, lengthBytes: LONG_BYTES });
    const first = await loan.next();
    loan.handedOver();
    let second: Buffer | undefined;
    const asked = loan.next().then((chunk) => (second = chunk));
    await settle();
    expect(second).toBeUndefined();
    loan.taken(first);
    await asked;
    expect(second).toBeDefined();

    const refused = loan.next();
    loan.close();
    await expect(refused).rejects.toThrow('the response is over');
    await expect(loan.next()).rejects.toThrow('the response is over');
  });

  it('holds less for each of a crowd that does not take what it is given', async () => {
    const stalled = Array.from({ length: 400 }, () =>
      memory.lend({ connection: {}, lengthBytes: LONG_BYTES }),
    );
    const chunks = await Promise.all(stalled.map((loan) => loan.next()));
    expect(chunks[0]?.length).toBe(32_768);
    expect(chunks.at(-1)?.length).toBe(16_384);
    for (const loan of stalled) loan.close();
    const alone = memory.lend({ connection: {}, lengthBytes: LONG_BYTES });
    expect((await alone.next()).length).toBe(32_768);
  });
});
