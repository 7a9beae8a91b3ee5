import { mkdir, mkdtemp, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { AppError } from '../../src/errors';
import { createHotBlocks } from '../../src/services/hot-blocks';
import { createKeptTracks } from '../../src/services/kept-tracks';
import { createTrackSource } from '../../src/services/track-source';
import { createLocalStore } from '../../src/storage/local-store';
import { type OpenedTrack, type TrackStore } from '../../src/storage/track-store';
import { MemoryStore } from '../support/memory-storage';
import { patternedBytes } from '../support/patterned-bytes';

const LENGTH_BYTES = 200_000;
const MODIFIED_AT = new Date('2024-03-01T12:00:00.250Z');
const MODIFIED_NS = BigInt(MODIFIED_AT.getTime()) * 1_000_000n;

/** id, extension and bytes of what every store of the suite holds */
const LIBRARY: readonly (readonly [id: string, extension: string, bytes: Buffer])[] = [
  ['song', 'mp3', patternedBytes(LENGTH_BYTES)],
  ['empty', 'flac', Buffer.alloc(0)],
  ['byte', 'wav', patternedBytes(1)],
  ['Artist/Album/01 Song', 'ogg', patternedBytes(1_000)],
  ['Музыка/Песня № 1', 'opus', patternedBytes(1_000)],
  ['a.b.c', 'm4a', patternedBytes(10)],
];

/** What a store may do beyond the rest of the contract. */
type Offer = 'readAtOnce' | 'readNow' | 'isCurrent' | 'isUnchanged';
const OFFERS: readonly Offer[] = ['readAtOnce', 'readNow', 'isCurrent', 'isUnchanged'];

interface Library {
  readonly store: TrackStore;
  /** of a library of files */
  readonly root?: string;
  close(): Promise<void>;
}

type Implementation = readonly [
  name: string,
  create: () => Promise<Library>,
  offers: readonly Offer[],
];

const IMPLEMENTATIONS: readonly Implementation[] = [
  ['createLocalStore()', createFolder, ['readAtOnce', 'isCurrent', 'isUnchanged']],
  [
    'createKeptTracks() in a crowd',
    async () => {
      const folder = await createFolder();
      const tracks = createKeptTracks({
        tracks: createTrackSource(folder.store),
        hotBlocks: createHotBlocks({ maxBytes: 16_000_000 }),
      });
      const open = async (id: string): Promise<OpenedTrack> => {
        // so many that it is kept
        for (let i = 0; i < 4; i += 1) await (await tracks.select(id)).track.close();
        return (await tracks.select(id)).track;
      };
      return {
        store: { open },
        close: async () => {
          await tracks.close();
          await folder.close();
        },
      };
    },
    ['readAtOnce', 'readNow'],
  ],
  [
    'MemoryStore',
    () => {
      const store = new MemoryStore();
      for (const [id, extension, bytes] of LIBRARY) {
        store.tracks.set(id, { extension, bytes, mtimeNs: MODIFIED_NS });
      }
      return Promise.resolve({ store, close: () => Promise.resolve() });
    },
    [],
  ],
];

async function createFolder(): Promise<Library> {
  const root = await mkdtemp(join(tmpdir(), 'track-store-'));
  for (const [id, extension, bytes] of LIBRARY) {
    const path = join(root, `${id}.${extension}`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
    await utimes(path, MODIFIED_AT, MODIFIED_AT);
  }
  return { store: createLocalStore(root), root, close: () => rm(root, { recursive: true }) };
}

describe.each(IMPLEMENTATIONS)('TrackStore: %s', (_name, create, offers) => {
  let library: Library;
  let store: TrackStore;
  const opened: OpenedTrack[] = [];

  const open = async (id: string): Promise<OpenedTrack> => {
    const track = await store.open(id);
    opened.push(track);
    return track;
  };

  beforeAll(async () => {
    library = await create();
    store = library.store;
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((track) => track.close()));
  });
  afterAll(() => library.close());

  it.each(LIBRARY)('opens %s and knows what it is', async (id, extension, bytes) => {
    const track = await open(id);
    expect(track.fileName).toBe(`${id.split('/').at(-1) ?? ''}.${extension}`);
    expect(track.extension).toBe(extension);
    expect(track.sizeBytes).toBe(bytes.length);
    expect(track.mtimeNs).toBe(MODIFIED_NS);
  });

  it.each([
    [0, 0],
    [0, 1],
    [1, 1],
    [0, LENGTH_BYTES - 1],
    [LENGTH_BYTES - 1, LENGTH_BYTES - 1],
    [65_535, 65_536],
    [65_536, 131_071],
    [12_345, 123_456],
  ])('reads %d to %d, both inclusive', async (firstPos, lastPos) => {
    const track = await open('song');
    const bytes = await buffer(track.read({ firstPos, lastPos }));
    expect(bytes.equals(patternedBytes(lastPos - firstPos + 1, firstPos))).toBe(true);
  });

  it('reads any range of any track', async () => {
    const track = await open('song');
    const range = fc.tuple(fc.nat(LENGTH_BYTES - 1), fc.nat(LENGTH_BYTES - 1));
    await fc.assert(
      fc.asyncProperty(range, async ([a, b]) => {
        const [firstPos, lastPos] = [Math.min(a, b), Math.max(a, b)];
        const bytes = await buffer(track.read({ firstPos, lastPos }));
        expect(bytes.equals(patternedBytes(lastPos - firstPos + 1, firstPos))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('reads several ranges one after another and at once', async () => {
    const track = await open('song');
    const ranges = [
      { firstPos: 100, lastPos: 199_999 },
      { firstPos: 0, lastPos: 150_000 },
      { firstPos: 100, lastPos: 199_999 },
    ];
    const expected = ranges.map(({ firstPos, lastPos }) =>
      patternedBytes(lastPos - firstPos + 1, firstPos),
    );
    for (const [i, range] of ranges.entries()) {
      expect((await buffer(track.read(range))).equals(expected[i]!)).toBe(true);
    }
    const together = await Promise.all(ranges.map((range) => buffer(track.read(range))));
    expect(together.map((bytes, i) => bytes.equals(expected[i]!))).toEqual([true, true, true]);
  });

  it('opens the same track many times, each on its own', async () => {
    const [first, second] = [await open('song'), await open('song')];
    await first.close();
    const bytes = await buffer(second.read({ firstPos: 5, lastPos: 9 }));
    expect(bytes.equals(patternedBytes(5, 5))).toBe(true);
  });

  it('closes twice, and at the same time', async () => {
    const track = await store.open('song');
    await Promise.all([track.close(), track.close()]);
    await track.close();
  });

  it('ends a read with the signal, and can be read again', async () => {
    const track = await open('song');
    const controller = new AbortController();
    const stream = track.read({ firstPos: 0, lastPos: LENGTH_BYTES - 1 }, controller.signal);
    const stopped = new Writable({
      highWaterMark: 1,
      write() {
        controller.abort(); // and never asks for more
      },
    });
    await expect(pipeline(stream, stopped)).rejects.toMatchObject({ name: 'AbortError' });
    expect(stream.destroyed).toBe(true);
    const bytes = await buffer(track.read({ firstPos: 0, lastPos: 99 }));
    expect(bytes.equals(patternedBytes(100))).toBe(true);
  });

  it('ends a read whose signal was aborted before', async () => {
    const track = await open('song');
    const stream = track.read({ firstPos: 0, lastPos: 99 }, AbortSignal.abort());
    await expect(buffer(stream)).rejects.toMatchObject({ name: 'AbortError' });
    expect(stream.destroyed).toBe(true);
  });

  it.each([
    'unknown',
    'song.mp3',
    'Song',
    'son',
    'songs',
    'Artist',
    'Artist/Album',
    'Artist/Album/01 Song/x',
    'song/x',
    'Album/01 Song',
    '',
    '/',
    '/song',
    'song/',
    './song',
    '../song',
    'Artist/../song',
    'Artist//Album/01 Song',
    'Artist/./Album/01 Song',
    'Artist\\Album\\01 Song',
    '.hidden',
    'song\0',
    'song\n',
    '\ud800',
    '__proto__',
    'constructor',
    'x'.repeat(256),
    `${'x/'.repeat(600)}x`,
  ])('has no track %j', async (id) => {
    const failure = await store.open(id).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AppError);
    expect(failure).toMatchObject({ code: 'track_not_found' });
  });

  it('names in its message nothing of the id', async () => {
    const failure = await store.open('a-secret-name').catch((error: unknown) => error);
    expect((failure as Error).message).not.toContain('secret');
  });

  it(`offers ${offers.join(', ') || 'nothing'} beyond the rest`, async () => {
    const track = await open('song');
    expect(OFFERS.filter((name) => track[name] !== undefined)).toEqual(offers);
  });

  if (offers.includes('readAtOnce'))
    describe('readAtOnce()', () => {
      describeReadAtOnce(open);
    });
  if (offers.includes('readNow'))
    describe('readNow()', () => {
      describeReadNow(open);
    });
});

function describeReadAtOnce(open: (id: string) => Promise<OpenedTrack>): void {
  it('gives the bytes of any range, many at a time, each in memory of its own', async () => {
    const track = await open('song');
    const range = fc
      .tuple(fc.nat(LENGTH_BYTES - 1), fc.nat(LENGTH_BYTES - 1))
      .map(([a, b]) => ({ firstPos: Math.min(a, b), lastPos: Math.max(a, b) }));
    await fc.assert(
      fc.asyncProperty(fc.array(range, { minLength: 1, maxLength: 8 }), async (ranges) => {
        const all = await Promise.all(ranges.map((each) => track.readAtOnce!(each)));
        for (const [i, { pieces }] of all.entries()) {
          const { firstPos, lastPos } = ranges[i]!;
          const expected = patternedBytes(lastPos - firstPos + 1, firstPos);
          expect(Buffer.concat(pieces).equals(expected)).toBe(true);
        }
        for (const bytes of all) bytes.release();
      }),
      { numRuns: 50 },
    );
  });

  it('has ended when the track is closed', async () => {
    const track = await open('song');
    const reading = track.readAtOnce!({ firstPos: 10, lastPos: 99_999 });
    await track.close();
    const { pieces } = await reading;
    expect(Buffer.concat(pieces).equals(patternedBytes(99_990, 10))).toBe(true);
  });
}

function describeReadNow(open: (id: string) => Promise<OpenedTrack>): void {
  it('gives nothing that is not in memory', async () => {
    const track = await open('byte');
    expect(track.readNow!({ firstPos: 0, lastPos: 0 })).toBeUndefined();
  });

  it('gives the bytes of any range, once much of the track was asked for', async () => {
    const track = await open('song');
    const all = { firstPos: 0, lastPos: LENGTH_BYTES - 1 };
    for (let i = 0; i < 20 && !track.readNow!(all); i += 1) {
      (await track.readAtOnce!(all)).release();
    }
    const range = fc.tuple(fc.nat(LENGTH_BYTES - 1), fc.nat(LENGTH_BYTES - 1));
    fc.assert(
      fc.property(range, ([a, b]) => {
        const [firstPos, lastPos] = [Math.min(a, b), Math.max(a, b)];
        // long ones may be refused, as only so many may be out
        const bytes = track.readNow!({ firstPos, lastPos });
        if (!bytes) return lastPos - firstPos + 1 > 131_072;
        return Buffer.concat(bytes.pieces).equals(patternedBytes(lastPos - firstPos + 1, firstPos));
      }),
      { numRuns: 200 },
    );
  });
}

describe('what a store of files knows of its open track', () => {
  let library: Library;
  let path: string;
  let track: OpenedTrack;

  beforeEach(async () => {
    library = await createFolder();
    path = join(library.root!, 'song.mp3');
    track = await library.store.open('song');
  });
  afterEach(async () => {
    await track.close();
    await library.close();
  });

  const other = async (): Promise<string> => {
    const name = join(library.root!, 'other.tmp');
    await writeFile(name, patternedBytes(LENGTH_BYTES, 1));
    await utimes(name, MODIFIED_AT, MODIFIED_AT);
    return name;
  };

  it.each<[string, () => Promise<unknown>, boolean, boolean]>([
    ['nothing', () => Promise.resolve(), true, true],
    ['reading', () => buffer(track.read({ firstPos: 0, lastPos: 9 })), true, true],
    ['another track beside it', async () => writeFile(`${path}.txt`, 'x'), true, true],
    [
      'a rename of a copy of the same size and time',
      async () => rename(await other(), path),
      false,
      false,
    ],
    ['its deletion', () => rm(path), false, false],
    [
      'a track of a better extension',
      () => writeFile(join(library.root!, 'song.flac'), 'x'),
      false,
      true,
    ],
    ['other bytes in its place', () => writeFile(path, patternedBytes(LENGTH_BYTES, 1)), false, false], // prettier-ignore
    [
      'other bytes in its place, with the old time',
      async () => {
        await writeFile(path, patternedBytes(LENGTH_BYTES, 1));
        await utimes(path, MODIFIED_AT, MODIFIED_AT);
      },
      false,
      false,
    ],
    ['a cut', () => truncate(path, 10), false, false],
  ])('after %s: current, unchanged', async (_what, change, isCurrent, isUnchanged) => {
    await change();
    expect([await track.isCurrent!(), await track.isUnchanged!()]).toEqual([
      isCurrent,
      isUnchanged,
    ]);
  });

  it('reads what is left of a file that was cut', async () => {
    await truncate(path, 1_000);
    const rest = await track.readAtOnce!({ firstPos: 990, lastPos: 1_999 });
    expect(Buffer.concat(rest.pieces).equals(patternedBytes(10, 990))).toBe(true);
    rest.release();
    expect((await track.readAtOnce!({ firstPos: 1_000, lastPos: 1_999 })).pieces[0]).toHaveLength(
      0,
    );
  });

  it('never fails to tell whether the track is current, also when the library is gone', async () => {
    await rm(library.root!, { recursive: true });
    expect(await track.isCurrent!()).toBe(false);
    await mkdir(library.root!);
  });

  it('reads nothing at once when it is closed: the number may be that of another file', async () => {
    await track.close();
    expect(() => track.readAtOnce!({ firstPos: 0, lastPos: 9 })).toThrow('closed');
  });
});
