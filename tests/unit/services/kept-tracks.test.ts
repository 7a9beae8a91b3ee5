import { Readable } from 'node:stream';
import { AppError } from '../../../src/errors';
import { createHotBlocks, type HotBlocks } from '../../../src/services/hot-blocks';
import { createKeptTracks, type KeptTracks } from '../../../src/services/kept-tracks';
import { type SelectedTrack, type TrackSource } from '../../../src/services/track-source';
import { type OpenedTrack } from '../../../src/storage/track-store';
import { type ReadInto } from '../../../src/streaming/representation';
import { patternedBytes } from '../../support/patterned-bytes';

const CROWD = 3;
const MAX_UNSEEN_MS = 500;
const SWEEP_INTERVAL_MS = 200;
const MAX_KEPT = 256;
const SIZE = 1_000;

let time: number;

/** Tracks of any id; what is looked at, opened and closed is counted, and may be held back. */
class FakeSource implements TrackSource {
  /** changes with every revision */
  revision = 1;
  canTell = true;
  opened = 0;
  looks = 0;
  /** ids of the tracks that are open */
  readonly open: string[] = [];
  /** thrown by the next ones to open */
  readonly failures: Error[] = [];
  onLook: () => Promise<void> = () => Promise.resolve();
  /** what the last stream was to read into */
  into: ReadInto | undefined;

  select(id: string): Promise<SelectedTrack> {
    const failure = this.failures.shift();
    if (failure !== undefined) return Promise.reject(failure);
    this.opened += 1;
    this.open.push(id);
    const { revision } = this;
    let isOpen = true;
    const track: OpenedTrack = {
      fileName: `${id}.mp3`,
      extension: 'mp3',
      sizeBytes: SIZE,
      mtimeNs: BigInt(revision),
      read: (_range, _signal, into) => {
        if (!isOpen) throw new Error('the track is closed');
        this.into = into;
        return Readable.from([Buffer.alloc(1)]);
      },
      close: () => {
        if (isOpen) this.open.splice(this.open.indexOf(id), 1);
        isOpen = false;
        return Promise.resolve();
      },
      ...(this.canTell
        ? {
            isCurrent: async () => {
              this.looks += 1;
              await this.onLook();
              return this.revision === revision;
            },
            readAtOnce: ({ firstPos, lastPos }) =>
              Promise.resolve({
                pieces: [patternedBytes(lastPos - firstPos + 1, firstPos + revision)],
                release: () => undefined,
              }),
          }
        : {}),
    };
    return Promise.resolve({ id, format: 'mp3', entityTag: `"${revision}"`, track });
  }
}

let source: FakeSource;
let kept: KeptTracks;

beforeEach(() => {
  jest.useFakeTimers();
  time = 1_000;
  source = new FakeSource();
  kept = create();
});
afterEach(async () => {
  await kept.close();
  jest.useRealTimers();
});

function create(hotBlocks: HotBlocks = createHotBlocks({ maxBytes: 0 })): KeptTracks {
  return createKeptTracks({ tracks: source, hotBlocks, now: () => time });
}

/** Asks so often that the last request is one of a crowd; the track is kept and unused. */
async function gather(id = 'song'): Promise<void> {
  for (let i = 0; i <= CROWD; i += 1) await (await kept.select(id)).track.close();
}

describe('createKeptTracks()', () => {
  it('opens and closes for each of the few', async () => {
    for (let i = 1; i <= CROWD; i += 1) {
      const { track } = await kept.select('song');
      expect(source.opened).toBe(i);
      expect(source.open).toEqual(['song']);
      await track.close();
      expect(source.open).toEqual([]);
    }
    expect(kept.selectNow('song')).toBeUndefined();
  });

  it('opens once for a crowd, and hands the same handle out without a look', async () => {
    await gather();
    const openedBefore = source.opened;
    expect(source.open).toEqual(['song']);
    const [now, later] = [kept.selectNow('song'), await kept.select('song')];
    expect(now?.entityTag).toBe('"1"');
    expect(now?.original?.representation.lengthBytes).toBe(SIZE);
    expect(later.original).toBe(now?.original);
    expect(source.opened).toBe(openedBefore);
    expect(source.looks).toBe(0);
    await Promise.all([now?.track.close(), later.track.close()]);
    expect(source.open).toEqual(['song']);
  });

  it('counts requests for each id, and only for half a second or so', async () => {
    await gather('song');
    expect(kept.selectNow('other')).toBeUndefined();
    // crowded in the window before, then no longer
    time += MAX_UNSEEN_MS;
    await (await kept.select('song')).track.close();
    expect(source.looks).toBe(1);
    time += 2 * MAX_UNSEEN_MS;
    const openedBefore = source.opened;
    const { track } = await kept.select('song');
    expect(source.opened).toBe(openedBefore + 1);
    await track.close();
  });

  it('does not keep what cannot tell whether it has changed', async () => {
    source.canTell = false;
    for (let i = 1; i <= 2 * CROWD; i += 1) {
      const { track } = await kept.select('song');
      await track.close();
      expect(source.opened).toBe(i);
      expect(source.open).toEqual([]);
    }
  });

  it('looks once for all who wait, and hands out no handle meanwhile', async () => {
    await gather();
    time += MAX_UNSEEN_MS;
    expect(kept.selectNow('song')).toBeUndefined();
    const openedBefore = source.opened;
    const all = await Promise.all(Array.from({ length: 5 }, () => kept.select('song')));
    expect(source.looks).toBe(1);
    expect(source.opened).toBe(openedBefore);
    await Promise.all(all.map(({ track }) => track.close()));
    // and the look counts from now on
    const { track } = kept.selectNow('song')!;
    await track.close();
    expect(source.looks).toBe(1);
  });

  it('is fresh until 500 ms after its look began, not ended', async () => {
    await gather();
    time += MAX_UNSEEN_MS - 1;
    const before = kept.selectNow('song');
    expect(before).toBeDefined();
    await before?.track.close();
    time += 1;
    let end: () => void = () => undefined;
    source.onLook = () =>
      new Promise((resolve) => {
        end = resolve;
      });
    const looking = kept.select('song');
    time += 300;
    end();
    await (await looking).track.close();
    time += 199;
    const fresh = kept.selectNow('song');
    expect(fresh).toBeDefined();
    await fresh?.track.close();
    time += 1;
    expect(kept.selectNow('song')).toBeUndefined();
  });

  it('opens anew what has changed, and closes the old with its last user', async () => {
    await gather();
    const old = kept.selectNow('song')!;
    source.revision = 2;
    expect(kept.selectNow('song')?.entityTag).toBe('"1"');
    time += MAX_UNSEEN_MS;
    const fresh = await kept.select('song');
    expect(fresh.entityTag).toBe('"2"');
    expect(fresh.track.mtimeNs).toBe(2n);
    expect(source.open).toEqual(['song', 'song']);
    expect(() => old.track.read({ firstPos: 0, lastPos: 0 })).not.toThrow();
    await fresh.track.close();
    expect(source.open).toHaveLength(2);
  });

  it('closes a changed track once nobody uses it, however often users close', async () => {
    await gather();
    const [one, two] = [kept.selectNow('song')!, kept.selectNow('song')!];
    source.revision = 2;
    time += MAX_UNSEEN_MS;
    await (await kept.select('song')).track.close();
    await one.track.close();
    await one.track.close(); // counts once
    expect(source.open).toHaveLength(2);
    await two.track.close();
    expect(source.open).toHaveLength(1);
  });

  it('sends nothing of the old from memory once the track has changed', async () => {
    kept = create(createHotBlocks({ maxBytes: 1_000_000, now: () => time }));
    const range = { firstPos: 10, lastPos: 19 };
    const read = async ({ track }: SelectedTrack): Promise<Buffer> => {
      const bytes = track.readNow?.(range) ?? (await track.readAtOnce?.(range));
      await track.close();
      return Buffer.concat(bytes?.pieces ?? []);
    };
    for (let i = 0; i < 12; i += 1) await read(await kept.select('song'));
    const hot = kept.selectNow('song')!;
    expect(hot.track.readNow?.(range)).toBeDefined();
    expect(await read(hot)).toEqual(patternedBytes(10, 11));
    source.revision = 2;
    time += MAX_UNSEEN_MS;
    expect(await read(await kept.select('song'))).toEqual(patternedBytes(10, 12));
  });

  it.each([
    ['large chunks', 262_144, true],
    ['small chunks', 32_768, false],
  ])('keeps what several stream in %s', async (_name, chunkBytes, isKept) => {
    kept = create(createHotBlocks({ maxBytes: 1_000_000, now: () => time }));
    await gather();
    const { track } = await kept.select('song');
    const range = { firstPos: 0, lastPos: SIZE - 1 };
    for (let listener = 0; listener < 3; listener += 1) {
      track.read({ firstPos: 0, lastPos: 5_000_000 }, undefined, () =>
        Promise.resolve(Buffer.alloc(chunkBytes)),
      );
      expect(await source.into?.(0)).toHaveLength(chunkBytes);
    }
    await jest.advanceTimersByTimeAsync(0);
    expect(track.readNow?.(range) !== undefined).toBe(isKept);
    await track.close();
  });

  it('is told by the failure of a new opening when the track is gone', async () => {
    await gather();
    source.revision = 2;
    source.failures.push(new AppError('track_not_found', 'There is no such track'));
    time += MAX_UNSEEN_MS;
    await expect(kept.select('song')).rejects.toMatchObject({ code: 'track_not_found' });
    expect(source.open).toEqual([]);
  });

  it('closes what nobody uses within two sweeps, and never what is in use', async () => {
    await gather('idle');
    await gather('busy');
    const busy = kept.selectNow('busy')!;
    await jest.advanceTimersByTimeAsync(2 * SWEEP_INTERVAL_MS);
    expect(source.open).toEqual(['busy']);
    await jest.advanceTimersByTimeAsync(50 * SWEEP_INTERVAL_MS);
    expect(source.open).toEqual(['busy']);
    await busy.track.close();
    expect(source.open).toEqual(['busy']);
    await jest.advanceTimersByTimeAsync(2 * SWEEP_INTERVAL_MS);
    expect(source.open).toEqual([]);
    expect(jest.getTimerCount()).toBe(0); // nothing to sweep
  });

  it('goes on keeping what is used between sweeps', async () => {
    await gather();
    for (let i = 0; i < 10; i += 1) {
      time += SWEEP_INTERVAL_MS;
      await jest.advanceTimersByTimeAsync(SWEEP_INTERVAL_MS);
      await (await kept.select('song')).track.close();
      await (await kept.select('song')).track.close();
    }
    expect(source.opened).toBe(CROWD + 1);
  });

  it('is not closed by a sweep while it is looked at', async () => {
    await gather();
    time += MAX_UNSEEN_MS;
    let end: () => void = () => undefined;
    source.onLook = () =>
      new Promise((resolve) => {
        end = resolve;
      });
    const looking = kept.select('song');
    await jest.advanceTimersByTimeAsync(10 * SWEEP_INTERVAL_MS);
    end();
    const { track } = await looking;
    expect(() => track.read({ firstPos: 0, lastPos: 0 })).not.toThrow();
    await track.close();
  });

  it(`keeps no more than ${MAX_KEPT} handles; the rest close with their request`, async () => {
    const users: SelectedTrack[] = [];
    for (let i = 0; i < MAX_KEPT; i += 1) {
      await gather(`song-${i}`);
      users.push(kept.selectNow(`song-${i}`)!);
    }
    expect(source.open).toHaveLength(MAX_KEPT);
    await gather('one more');
    expect(source.open).toHaveLength(MAX_KEPT);
    expect(kept.selectNow('one more')).toBeUndefined();
    // an unused one makes room
    await users.pop()?.track.close();
    await gather('one more');
    expect(kept.selectNow('one more')).toBeDefined();
    expect(source.open).toHaveLength(MAX_KEPT);
  });

  it.each(['EMFILE', 'ENFILE'])(
    'closes what is unused on %s, and tries once more',
    async (code) => {
      await gather('unused');
      await gather('used');
      const used = kept.selectNow('used')!;
      const cause = Object.assign(new Error('too many'), { code });
      source.failures.push(new AppError('track_unavailable', 'not now', { cause }));
      const { track } = await kept.select('new');
      expect(source.open).toEqual(['used', 'new']);
      await Promise.all([track.close(), used.track.close()]);
    },
  );

  it('gives up when it fails again, when there is nothing to close, and for other reasons', async () => {
    const failure = Object.assign(new Error('too many'), { code: 'EMFILE' });
    source.failures.push(failure, failure, failure);
    await expect(kept.select('new')).rejects.toBe(failure);
    expect(source.failures).toHaveLength(2); // nothing to close: not tried again
    source.failures.length = 0;

    await gather('unused');
    source.failures.push(failure, failure, failure);
    await expect(kept.select('new')).rejects.toBe(failure);
    expect(source.failures).toHaveLength(1);
    source.failures.length = 0;

    await gather('unused');
    const other = Object.assign(new Error('broken'), { code: 'EIO' });
    source.failures.push(other);
    await expect(kept.select('new')).rejects.toBe(other);
    expect(source.open).toEqual(['unused']);
  });

  it('keeps one handle when several open at once', async () => {
    for (let i = 0; i < CROWD; i += 1) await (await kept.select('song')).track.close();
    const all = await Promise.all([kept.select('song'), kept.select('song'), kept.select('song')]);
    expect(source.open).toHaveLength(3);
    await Promise.all(all.map(({ track }) => track.close()));
    expect(source.open).toHaveLength(1);
  });

  it('closes all at the end: the unused at once, the used with their last user', async () => {
    await gather('unused');
    await gather('used');
    const used = kept.selectNow('used')!;
    await kept.close();
    expect(source.open).toEqual(['used']);
    expect(jest.getTimerCount()).toBe(0);
    expect(() => used.track.read({ firstPos: 0, lastPos: 0 })).not.toThrow();
    await used.track.close();
    expect(source.open).toEqual([]);
  });
});
