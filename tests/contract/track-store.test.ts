import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { AppError } from '../../src/errors';
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

interface Library {
  readonly store: TrackStore;
  close(): Promise<void>;
}

const IMPLEMENTATIONS: readonly (readonly [name: string, create: () => Promise<Library>])[] = [
  [
    'createLocalStore()',
    async () => {
      const root = await mkdtemp(join(tmpdir(), 'track-store-'));
      for (const [id, extension, bytes] of LIBRARY) {
        const path = join(root, `${id}.${extension}`);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, bytes);
        await utimes(path, MODIFIED_AT, MODIFIED_AT);
      }
      return {
        store: createLocalStore(root),
        close: () => rm(root, { recursive: true }),
      };
    },
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
  ],
];

describe.each(IMPLEMENTATIONS)('TrackStore: %s', (_name, create) => {
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
});
