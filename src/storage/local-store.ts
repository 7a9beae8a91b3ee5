import { type BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { AppError } from '../errors';
import {
  closeFile,
  isAbsence,
  openIfPresent,
  resolveWithin,
  statOpened,
  unavailable,
} from './file-calls';
import { isSameState } from './file-state';
import { createFolderViews, type Clocks } from './folder-views';
import { openLocalTrack, type LocalFile } from './local-track';
import { createChunkMemory, type ChunkMemory } from '../streaming/chunk-memory';
import { openBeside } from './open-beside';
import { createSightings, type Search, type Sighting, type Sightings } from './sightings';
import { parseTrackId, spellingsOf } from './track-id';
import { type OpenedTrack, type TrackStore } from './track-store';

/**
 * Where two files differ only by extension, the first of this list is the track: lossless that
 * browsers play, then lossy by how many players play it, then what few play.
 */
export const EXTENSIONS: readonly string[] =
  'flac wav mp3 m4a m4b mp4 aac opus ogg oga webm weba aiff aif wma'.split(' ');
/** As rippers and other systems spell them; lower case is asked for first. */
export const SPELLED_EXTENSIONS = [
  ...EXTENSIONS,
  ...EXTENSIONS.map((name) => name.toUpperCase()),
  ...EXTENSIONS.map((name) => name.charAt(0).toUpperCase() + name.slice(1)),
];

const REAL_CLOCKS: Clocks = { now: () => performance.now(), wallNow: () => Date.now() };

/**
 * The tracks below a folder. No listing is read: an id is tried under its few possible names, which
 * costs the same in every library, and what appears or vanishes meanwhile is seen at once. Only in a
 * folder that has not changed for seconds may a name that comes first be seen half a second late
 * (sightings.ts).
 *
 * @param root the library; it may be missing and appear later
 * @param memory that small ranges are read into
 * @param known where tracks were found; {@link noSightings} for who opens each only once
 */
export function createLocalStore(
  root: string,
  memory: ChunkMemory = createChunkMemory(),
  clocks: Clocks = REAL_CLOCKS,
  known?: Sightings,
): TrackStore {
  const library = resolve(root);
  const sightings =
    known ?? createSightings(createFolderViews(library, clocks), clocks.wallNow);

  /** @param expected in which state the file needs no other look */
  const openFile = async (
    path: string,
    isCurrent: LocalFile['isCurrent'],
    search: Search,
    expected?: Sighting,
  ): Promise<OpenedTrack | undefined> => {
    const fd = await openIfPresent(path, { isLinkFollowed: !expected });
    if (fd === undefined) return undefined;
    try {
      const stats = await statOpened(fd);
      const beside = (names: readonly string[]) => openBeside(path, names, openOnce);
      const file = { fd, path, stats, isCurrent, memory, openBeside: beside };
      if (expected && isSameState(stats, expected.state)) {
        return openLocalTrack({ ...file, state: expected.state });
      }
      const realPath = stats.isFile() ? await resolveWithin(library, fd, path) : undefined;
      if (realPath !== undefined) {
        return openLocalTrack({ ...file, state: search.found(path, stats, realPath) });
      }
    } catch (error) {
      await closeFile(fd);
      if (isAbsence(error)) return undefined; // the library went while we looked
      throw unavailable(error);
    }
    await closeFile(fd);
    return undefined;
  };

  /** what is read once needs no watching, and is not remembered */
  const openOnce = (path: string): Promise<OpenedTrack | undefined> =>
    openFile(path, () => Promise.resolve(false), FORGETFUL);

  return {
    async open(id) {
      const segments = parseTrackId(id);
      if (segments) {
        const isCurrent: LocalFile['isCurrent'] = async (stats) => {
          const now = await statFirst(candidatePaths(library, segments));
          return now !== undefined && isSameState(now, stats);
        };
        const search = await sightings.begin(id, dirname(join(library, ...segments)));
        const { expected } = search;
        const known = expected && (await openFile(expected.path, isCurrent, search, expected));
        if (known) return known;
        for await (const path of candidatePaths(library, segments)) {
          const track = await openFile(path, isCurrent, search);
          if (track) return track;
        }
      }
      await assertLibrary(library);
      throw new AppError('track_not_found', 'There is no track with this id');
    },
  };
}

const FORGETFUL: Search = { expected: undefined, found: () => undefined };

/** Remembers nothing: a look through the whole library would push out what listeners come back to. */
export const noSightings: Sightings = { begin: () => Promise.resolve(FORGETFUL) };

/** Paths under which the track may be stored, most likely first. */
async function* candidatePaths(
  folder: string,
  [name = '', ...deeper]: readonly string[],
): AsyncGenerator<string> {
  const spellings = spellingsOf(name);
  for (const spelling of spellings) {
    const path = join(folder, spelling);
    if (deeper.length === 0) {
      for (const extension of SPELLED_EXTENSIONS) yield `${path}.${extension}`;
    } else if (spellings.length === 1 || (await isFolder(path))) {
      yield* candidatePaths(path, deeper);
    }
  }
}

/** What stands first among the paths now; undefined when that cannot be told. */
async function statFirst(paths: AsyncIterable<string>): Promise<BigIntStats | undefined> {
  for await (const path of paths) {
    try {
      const stats = await stat(path, { bigint: true });
      if (stats.isFile()) return stats;
    } catch (error) {
      if (!isAbsence(error)) return undefined;
    }
  }
  return undefined;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false, // absent or closed to us: no track of ours is below it
  );
}

async function assertLibrary(root: string): Promise<void> {
  const isThere = await isFolder(root);
  if (!isThere) {
    throw new AppError('library_unavailable', 'The music library is not available now');
  }
}
