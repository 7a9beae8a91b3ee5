import {
  mkdir,
  mkdtemp,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { AppError } from '../../src/errors';
import { createLocalStore } from '../../src/storage/local-store';
import { type TrackStore } from '../../src/storage/track-store';

/** As long as a view of a folder is trusted. */
const MAX_UNSEEN_MS = 500;
const FOREIGN = 'foreign bytes';

/** holds the library `media`, and next to it what must never be seen */
let parent: string;
let root: string;
let store: TrackStore;
/** what the clock of the store shows, beside the real one */
let aheadMs: number;
let now: number;

beforeEach(async () => {
  parent = await realpath(await mkdtemp(join(tmpdir(), 'sightings-')));
  root = join(parent, 'media');
  await mkdir(root);
  now = 0;
  aheadMs = 60_000; // no file is new
  store = create();
});
afterEach(() => rm(parent, { recursive: true, force: true }));

function create(library = root): TrackStore {
  const clocks = { now: () => now, wallNow: () => Date.now() + aheadMs };
  return createLocalStore(library, undefined, clocks);
}

async function put(path: string, content = path): Promise<string> {
  const full = join(root, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, content);
  return full;
}

/** Under a name of its own first, as one should. */
async function replace(path: string, content: string): Promise<void> {
  await writeFile(join(parent, 'next'), content);
  await rename(join(parent, 'next'), join(root, path));
}

/** Until the file system counts another time than it did before: the next change is sure to show. */
async function nextInstant(): Promise<void> {
  const touch = async (): Promise<bigint> => {
    await writeFile(join(parent, 'touched'), '');
    return (await stat(join(parent, 'touched'), { bigint: true })).ctimeNs;
  };
  const before = await touch();
  while ((await touch()) === before);
}

/** The track's bytes as text, or the code of the failure; and the state that is remembered. */
async function look(id: string, from = store): Promise<{ found: string; state?: object }> {
  try {
    const track = await from.open(id);
    const lastPos = track.sizeBytes - 1;
    const found =
      lastPos < 0 ? '' : (await buffer(track.read({ firstPos: 0, lastPos }))).toString();
    await track.close();
    return { found, ...(track.state ? { state: track.state } : {}) };
  } catch (error) {
    if (error instanceof AppError) return { found: error.code };
    throw error;
  }
}

async function find(id: string, from = store): Promise<string> {
  return (await look(id, from)).found;
}

/** Asks until the store opens the track without a search: it has seen it, and its folder. */
async function remember(id: string, expected: string, from = store): Promise<void> {
  for (let i = 0; i < 3; i += 1) expect(await find(id, from)).toBe(expected);
  await nextInstant();
}

describe('a track that is remembered', () => {
  it('is not found any more as soon as it is deleted', async () => {
    const path = await put('song.mp3');
    await remember('song', 'song.mp3');
    await unlink(path);
    expect(await find('song')).toBe('track_not_found');
    await put('song.mp3', 'again');
    expect(await find('song')).toBe('again');
  });

  it('is found as it is as soon as it is overwritten or replaced', async () => {
    const path = await put('song.mp3');
    await remember('song', 'song.mp3');
    await writeFile(path, 'overwritten');
    expect(await find('song')).toBe('overwritten');
    await remember('song', 'overwritten');
    await replace('song.mp3', 'replaced');
    expect(await find('song')).toBe('replaced');
  });

  it('gives way within 500 ms to one with an extension that comes first', async () => {
    await put('song.mp3');
    await remember('song', 'song.mp3');
    await put('song.flac');
    now += MAX_UNSEEN_MS;
    expect(await find('song')).toBe('song.flac');
    await remember('song', 'song.flac');
    await unlink(join(root, 'song.flac'));
    expect(await find('song')).toBe('song.mp3');
  });

  it('gives way at once in a folder where something has just changed', async () => {
    aheadMs = 0;
    await put('song.mp3');
    await remember('song', 'song.mp3');
    await put('song.flac');
    expect(await find('song')).toBe('song.flac');
  });

  it('gives way to the spelling that was asked for as soon as that is there', async () => {
    const [composed, decomposed] = ['Beyonc\u00e9', 'Beyonce\u0301'];
    await put(`${decomposed}/song.mp3`, 'decomposed');
    await remember(`${composed}/song`, 'decomposed');
    await put(`${composed}/song.mp3`, 'composed');
    expect(await find(`${composed}/song`)).toBe('composed');
  });

  it('is in the same state until it changes, which other times do not hide', async () => {
    const path = await put('song.mp3', 'one');
    const times = [new Date(1_000_000), new Date(1_000_000)] as const;
    await utimes(path, ...times);
    const { state } = await look('song');
    expect(state).toBeDefined();
    for (let i = 0; i < 3; i += 1) {
      now += MAX_UNSEEN_MS;
      expect((await look('song')).state).toBe(state);
    }
    await nextInstant();
    await writeFile(path, 'two');
    await utimes(path, ...times); // same size, same time of modification
    const changed = await look('song');
    expect(changed.found).toBe('two');
    expect(changed.state).toBeDefined();
    expect(changed.state).not.toBe(state);
  });

  it('has no state to go by when it was just changed', async () => {
    aheadMs = 0;
    await put('song.mp3');
    for (let i = 0; i < 3; i += 1) expect(await look('song')).toEqual({ found: 'song.mp3' });
  });

  it('leads nowhere else when the library is linked anew', async () => {
    for (const version of ['v1', 'v2']) await mkdir(join(parent, version));
    await writeFile(join(parent, 'v1/song.mp3'), 'one');
    await symlink('../v1/song.mp3', join(parent, 'v2/song.mp3'));
    await symlink('v1', join(parent, 'library'));
    const linked = create(join(parent, 'library'));
    await remember('song', 'one', linked);
    await symlink('v2', join(parent, 'next'));
    await rename(join(parent, 'next'), join(parent, 'library'));
    expect(await find('song', linked)).toBe('track_not_found');
  });
});

describe('a remembered track is unknown at once', () => {
  beforeEach(async () => {
    await mkdir(join(parent, 'secrets'));
    await writeFile(join(parent, 'secrets/song.mp3'), FOREIGN);
    await put('folder/song.mp3', 'ours');
    await remember('folder/song', 'ours');
  });

  it('when a link out of the library takes its place', async () => {
    await unlink(join(root, 'folder/song.mp3'));
    await symlink('../../secrets/song.mp3', join(root, 'folder/song.mp3'));
    expect(await find('folder/song')).toBe('track_not_found');
  });

  it('when it is moved out of the library and linked from where it was', async () => {
    await rename(join(root, 'folder/song.mp3'), join(parent, 'moved.mp3'));
    await symlink('../../moved.mp3', join(root, 'folder/song.mp3'));
    expect(await find('folder/song')).toBe('track_not_found');
  });

  it('when a link to a folder outside takes the place of its folder', async () => {
    await rename(join(root, 'folder'), join(root, 'aside'));
    await symlink('../secrets', join(root, 'folder'));
    expect(await find('folder/song')).toBe('track_not_found');
  });
});

it('is unknown within 500 ms when its folder is moved out of the library and linked', async () => {
  await put('Artist/Album/song.mp3', 'ours');
  await remember('Artist/Album/song', 'ours');
  await rename(join(root, 'Artist'), join(parent, 'Artist'));
  await symlink('../Artist', join(root, 'Artist'));
  now += MAX_UNSEEN_MS;
  expect(await find('Artist/Album/song')).toBe('track_not_found');
});

it('looks where a link leads each time', async () => {
  await put('folder/real.mp3', 'ours');
  await symlink('folder/real.mp3', join(root, 'linked.mp3'));
  await remember('linked', 'ours');
  await rename(join(root, 'folder'), join(parent, 'folder'));
  await symlink('../folder', join(root, 'folder'));
  expect(await find('linked')).toBe('track_not_found');
});

describe('any sequence of changes', () => {
  const extension = fc.constantFrom('flac', 'mp3', 'MP3', 'wma');
  const folder = fc.constantFrom('', 'a/');
  const path = fc.tuple(folder, extension).map(([name, ending]) => `${name}song.${ending}`);
  const change = fc.tuple(
    fc.constantFrom('write', 'replace', 'remove', 'link', 'escape', 'swap'),
    path,
  );

  const apply = async (kind: string, target: string, content: string): Promise<unknown> => {
    const full = join(root, target);
    if (kind === 'replace') return replace(target, content);
    if (kind === 'swap') {
      await rename(join(root, 'a'), join(root, 'c'));
      await rename(join(root, 'b'), join(root, 'a'));
      return rename(join(root, 'c'), join(root, 'b'));
    }
    if (kind !== 'write') await rm(full, { force: true });
    if (kind === 'link') return symlink(join(root, 'b/song.mp3'), full);
    if (kind === 'escape') return symlink(join(parent, 'secret.mp3'), full);
    return kind === 'write' ? writeFile(full, content) : undefined;
  };

  it.each([
    ['with all remembered, 500 ms later', 60_000, MAX_UNSEEN_MS],
    ['with what has just changed not remembered, at once', 0, 0],
  ])('is seen as by a store that remembers nothing: %s', async (_, ahead, laterMs) => {
    aheadMs = ahead;
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 5, maxLength: 15 }), async (changes) => {
        await rm(root, { recursive: true });
        await put('a/song.mp3', 'a');
        await put('b/song.mp3', 'b');
        await writeFile(join(parent, 'secret.mp3'), FOREIGN);
        store = create();
        for (const [i, [kind, target]] of changes.entries()) {
          await nextInstant();
          await apply(kind, target, `${i}`).catch(() => undefined); // a link may lead nowhere
          await writeFile(join(parent, 'secret.mp3'), FOREIGN);
          now += laterMs;
          for (const id of ['song', 'a/song', 'a/song']) {
            const found = await find(id);
            expect(found).toBe(await find(id, createLocalStore(root)));
            expect(found).not.toBe(FOREIGN);
          }
        }
      }),
      { numRuns: 25 },
    );
  });
});

it('never hands out foreign bytes while a remembered track and a link change places', async () => {
  await writeFile(join(parent, 'secret.mp3'), FOREIGN);
  await mkdir(join(parent, 'secrets'));
  await writeFile(join(parent, 'secrets/song.mp3'), FOREIGN);
  await put('swapped.mp3', 'ours');
  await put('folder/song.mp3', 'ours');
  const [song, folder, aside] = ['swapped.mp3', 'folder', 'aside'].map((name) =>
    join(root, name),
  ) as [string, string, string];
  const swaps = { areOver: false };
  const swapping = (async () => {
    for (let i = 0; i < 500; i += 1) {
      await symlink('../secret.mp3', join(root, 'next'));
      await rename(join(root, 'next'), song);
      await rename(folder, aside);
      await symlink('../secrets', folder);
      await replace('swapped.mp3', 'ours');
      await unlink(folder);
      await rename(aside, folder);
    }
  })().finally(() => (swaps.areOver = true));
  const seen = new Set<string>();
  while (!swaps.areOver) {
    for (const id of ['swapped', 'folder/song']) seen.add(await find(id));
    now += 100;
  }
  await swapping;
  expect([...seen].sort()).toEqual(['ours', 'track_not_found']);
});
