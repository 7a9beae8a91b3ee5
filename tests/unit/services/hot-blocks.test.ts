import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import {
  createHotBlocks,
  type ReadRange,
  type TrackBlocks,
} from '../../../src/services/hot-blocks';
import { type ByteRange } from '../../../src/streaming/byte-range';
import { type BytesInMemory } from '../../../src/streaming/representation';
import { patternedBytes } from '../../support/patterned-bytes';

const BLOCK = 262_144;
const WORTHY = 3;
const SIZE = 3 * BLOCK + 1_000;
const TRACK = patternedBytes(SIZE);

let time: number;
let reads: ByteRange[];

beforeEach(() => {
  time = 1_000;
  reads = [];
});

const readTrack: ReadRange = (range) => {
  reads.push(range);
  return Promise.resolve({
    pieces: [TRACK.subarray(range.firstPos, range.lastPos + 1)],
    release: () => undefined,
  });
};

function create(maxBytes: number) {
  return createHotBlocks({ maxBytes, now: () => time });
}

function contentOf(bytes: BytesInMemory | undefined): Buffer {
  return Buffer.concat(bytes?.pieces ?? []);
}

function bytesOf({ firstPos, lastPos }: ByteRange): Buffer {
  return TRACK.subarray(firstPos, lastPos + 1);
}

/** As a track in use does: from the file, with a note of it. */
function read(blocks: TrackBlocks, range: ByteRange): Promise<BytesInMemory> {
  blocks.note(range);
  return readTrack(range);
}

/** Asks for the block until it is worth loading, and waits until it is loaded. */
async function heat(blocks: TrackBlocks, index: number, requests = WORTHY): Promise<void> {
  const range = { firstPos: index * BLOCK, lastPos: index * BLOCK };
  for (let i = 0; i < requests; i += 1) await read(blocks, range);
  await nextTurn();
}

function isLoaded(blocks: TrackBlocks, index: number): boolean {
  return blocks.readNow({ firstPos: index * BLOCK, lastPos: index * BLOCK }) !== undefined;
}

describe('createHotBlocks()', () => {
  it('gives the bytes of any range, from memory or from the file', async () => {
    const blocks = create(100 * BLOCK).of(readTrack, SIZE);
    const ranges = fc
      .tuple(fc.nat(SIZE - 1), fc.nat(131_071))
      .map(([firstPos, more]) => ({ firstPos, lastPos: Math.min(firstPos + more, SIZE - 1) }));
    let inMemory = 0;
    await fc.assert(
      fc.asyncProperty(ranges, async (range) => {
        const known = blocks.readNow(range);
        if (known) inMemory += 1;
        const content = contentOf(known ?? (await read(blocks, range)));
        expect(content.equals(bytesOf(range))).toBe(true);
      }),
      { numRuns: 300 },
    );
    expect(inMemory).toBeGreaterThan(0);
  });

  it.each([
    ['the start', 0, 9],
    ['a whole block', 0, BLOCK - 1],
    ['the last byte of a block', BLOCK - 1, BLOCK - 1],
    ['the first byte of a block', BLOCK, BLOCK],
    ['two bytes of two blocks', BLOCK - 1, BLOCK],
    ['much of two blocks', BLOCK - 60_000, BLOCK + 60_000],
    ['the end', SIZE - 10, SIZE - 1],
    ['across the last border', 3 * BLOCK - 5, SIZE - 1],
  ])('gives from memory, once it is hot, %s', async (_name, firstPos, lastPos) => {
    const blocks = create(100 * BLOCK).of(readTrack, SIZE);
    const range = { firstPos, lastPos };
    for (let i = 0; i < WORTHY; i += 1) {
      expect(blocks.readNow(range)).toBeUndefined();
      expect(contentOf(await read(blocks, range)).equals(bytesOf(range))).toBe(true);
      await nextTurn();
    }
    const readsBefore = reads.length;
    expect(contentOf(blocks.readNow(range)).equals(bytesOf(range))).toBe(true);
    expect(reads).toHaveLength(readsBefore);
  });

  it('loads a block on the third request within a second, and once', async () => {
    const blocks = create(100 * BLOCK).of(readTrack, SIZE);
    const range = { firstPos: 5, lastPos: 9 };
    await read(blocks, range);
    await read(blocks, range);
    expect(reads).toEqual([range, range]);
    void read(blocks, range);
    void read(blocks, range);
    await nextTurn();
    const whole = { firstPos: 0, lastPos: BLOCK - 1 };
    expect(reads.filter(({ lastPos }) => lastPos === BLOCK - 1)).toEqual([whole]);
    expect(isLoaded(blocks, 0)).toBe(true);
  });

  it('does not load what is asked for now and then', async () => {
    const blocks = create(100 * BLOCK).of(readTrack, SIZE);
    for (let i = 0; i < 20; i += 1) {
      await read(blocks, { firstPos: 0, lastPos: 9 });
      time += 501;
      await nextTurn();
    }
    expect(isLoaded(blocks, 0)).toBe(false);
  });

  it('never has more in memory than it may, whatever is asked for', async () => {
    const budget = 2 * BLOCK + 10; // no room for a third
    const hot = create(budget);
    const tracks = [hot.of(readTrack, SIZE), hot.of(readTrack, SIZE)];
    const countLoaded = (): number =>
      tracks.flatMap((blocks) => [0, 1, 2, 3].filter((index) => isLoaded(blocks, index))).length;
    const asked = fc.record({
      track: fc.nat(1),
      index: fc.nat(3),
      requests: fc.integer({ min: 1, max: 9 }),
      pauseMs: fc.nat(1_500),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { minLength: 5, maxLength: 20 }), async (all) => {
        for (const { track, index, requests, pauseMs } of all) {
          // at once, so that several are being loaded at the same time
          void heat(tracks[track]!, index, requests);
          time += pauseMs;
        }
        await nextTurn();
        await nextTurn();
        expect(countLoaded()).toBeLessThanOrEqual(2);
      }),
      { numRuns: 50 },
    );
    expect(countLoaded()).toBeGreaterThan(0);
  });

  it('lets a block give way to a hotter one, and to no other', async () => {
    const blocks = create(BLOCK).of(readTrack, SIZE);
    await heat(blocks, 0, 5);
    expect(isLoaded(blocks, 0)).toBe(true); // 6 requests by now
    await heat(blocks, 1, 6);
    expect(isLoaded(blocks, 1)).toBe(false);
    await heat(blocks, 1, 10);
    expect(isLoaded(blocks, 1)).toBe(true);
    expect(isLoaded(blocks, 0)).toBe(false);
  });

  it('lets a block give way that nobody has asked for in the last seconds', async () => {
    const blocks = create(BLOCK).of(readTrack, SIZE);
    await heat(blocks, 0, 100);
    time += 2_000;
    await heat(blocks, 1, WORTHY);
    expect(isLoaded(blocks, 1)).toBe(true);
    expect(isLoaded(blocks, 0)).toBe(false);
  });

  it('lets the one give way that was not asked for longest', async () => {
    const blocks = create(2 * BLOCK).of(readTrack, SIZE);
    await heat(blocks, 0);
    await heat(blocks, 1);
    isLoaded(blocks, 0);
    await heat(blocks, 2, 9);
    expect([0, 1, 2].map((index) => isLoaded(blocks, index))).toEqual([true, false, true]);
  });

  it('forgets what is cleared, and makes room with it', async () => {
    const hot = create(BLOCK);
    const [first, second] = [hot.of(readTrack, SIZE), hot.of(readTrack, SIZE)];
    await heat(first, 0, 100);
    first.clear();
    expect(isLoaded(first, 0)).toBe(false);
    await heat(second, 0, WORTHY);
    expect(isLoaded(second, 0)).toBe(true);
  });

  it('keeps nothing that arrives after it was cleared', async () => {
    let end: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      end = resolve;
    });
    const hot = create(BLOCK);
    const blocks = hot.of(async (range) => {
      if (range.lastPos - range.firstPos > 100) await gate;
      return readTrack(range);
    }, SIZE);
    await heat(blocks, 0);
    blocks.clear();
    end();
    await nextTurn();
    expect(isLoaded(blocks, 0)).toBe(false);
    // nor does it take up room
    const other = hot.of(readTrack, SIZE);
    await heat(other, 0);
    expect(isLoaded(other, 0)).toBe(true);
  });

  it.each<[string, ReadRange]>([
    ['fails', () => Promise.reject(new Error('EIO'))],
    [
      'comes short',
      ({ firstPos, lastPos }) =>
        Promise.resolve({
          pieces: [TRACK.subarray(firstPos, lastPos)],
          release: () => undefined,
        }),
    ],
    [
      'throws',
      () => {
        throw new Error('the track is closed');
      },
    ],
  ])('keeps nothing of a load that %s, and tries again', async (_name, loadWrongly) => {
    let isBroken = true;
    const blocks = create(BLOCK).of(
      (range) => (isBroken && range.lastPos > 100 ? loadWrongly(range) : readTrack(range)),
      SIZE,
    );
    await heat(blocks, 0, 5);
    expect(isLoaded(blocks, 0)).toBe(false);
    isBroken = false;
    await heat(blocks, 0, 1);
    expect(isLoaded(blocks, 0)).toBe(true);
  });

  it('hands a failure of the file on to whoever asks', async () => {
    const failure = new Error('EIO');
    const blocks = create(BLOCK).of(() => Promise.reject(failure), SIZE);
    for (let i = 0; i < 5; i += 1) {
      blocks.note({ firstPos: 0, lastPos: 9 });
      await nextTurn();
      expect(blocks.readNow({ firstPos: 0, lastPos: 9 })).toBeUndefined();
    }
  });

  it('reads nothing beside where there is no memory for it', async () => {
    const blocks = create(0).of(readTrack, SIZE);
    await heat(blocks, 0, 20);
    expect(reads).toHaveLength(20);
    expect(isLoaded(blocks, 0)).toBe(false);
  });

  it('keeps nothing where the budget is below one block', async () => {
    const blocks = create(BLOCK - 1).of(readTrack, SIZE);
    await heat(blocks, 0, 20);
    expect(isLoaded(blocks, 0)).toBe(false);
  });
});
