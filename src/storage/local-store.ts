import { constants, type BigIntStats } from 'node:fs';
import { open, readlink, realpath, stat, type FileHandle } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { isNativeError } from 'node:util/types';
import { AppError } from '../errors';
import { isSameState, openLocalTrack, type LocalFile } from './local-track';
import { createChunkMemory, type ChunkMemory } from '../streaming/chunk-memory';
import { openBeside } from './open-beside';
import { parseTrackId, spellingsOf } from './track-id';
import { type OpenedTrack, type TrackStore } from './track-store';

/**
 * Where two files differ only by extension, the first of this list is the track: lossless that
 * browsers play, then lossy by how many players play it, then what few play.
 */
export const EXTENSIONS: readonly string[] =
  'flac wav mp3 m4a m4b mp4 aac opus ogg oga webm weba aiff aif wma'.split(' ');
/** As rippers and other systems spell them; lower case is asked for first. */
const SPELLED_EXTENSIONS = [
  ...EXTENSIONS,
  ...EXTENSIONS.map((name) => name.toUpperCase()),
  ...EXTENSIONS.map((name) => name.charAt(0).toUpperCase() + name.slice(1)),
];

/** A FIFO without a writer must not hold the request; on files the flag changes nothing. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** Errors that say: under this name there is nothing we could play. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ENXIO', 'EISDIR', 'EINVAL']);

/**
 * The tracks below a folder. No listing is read: an id is tried under its few possible names, which
 * costs the same in every library, and what appears or vanishes meanwhile is seen at once.
 *
 * @param root the library; it may be missing and appear later
 * @param memory that small ranges are read into
 */
export function createLocalStore(
  root: string,
  memory: ChunkMemory = createChunkMemory(),
): TrackStore {
  const openFile = async (
    path: string,
    isCurrent: LocalFile['isCurrent'],
  ): Promise<OpenedTrack | undefined> => {
    const handle = await openIfPresent(path);
    if (!handle) return undefined;
    try {
      const stats = await handle.stat({ bigint: true });
      if (stats.isFile() && (await liesWithin(root, handle, path))) {
        return openLocalTrack({
          handle,
          path,
          stats,
          isCurrent,
          memory,
          openBeside: (names) => openBeside(path, names, openOnce),
        });
      }
    } catch (error) {
      await handle.close();
      if (ABSENT.has(codeOf(error))) return undefined; // the library went while we looked
      throw unavailable(error);
    }
    await handle.close();
    return undefined;
  };

  /** what is read once needs no watching */
  const openOnce = (path: string): Promise<OpenedTrack | undefined> =>
    openFile(path, () => Promise.resolve(false));

  return {
    async open(id) {
      const segments = parseTrackId(id);
      if (segments) {
        const isCurrent: LocalFile['isCurrent'] = async (stats) => {
          const now = await statFirst(candidatePaths(root, segments));
          return now !== undefined && isSameState(now, stats);
        };
        for await (const path of candidatePaths(root, segments)) {
          const track = await openFile(path, isCurrent);
          if (track) return track;
        }
      }
      await assertLibrary(root);
      throw new AppError('track_not_found', 'There is no track with this id');
    },
  };
}

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
      if (!ABSENT.has(codeOf(error))) return undefined;
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

async function openIfPresent(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, OPEN_FLAGS);
  } catch (error) {
    if (ABSENT.has(codeOf(error))) return undefined;
    throw unavailable(error);
  }
}

/**
 * Symbolic links may lead anywhere; what counts is where the open file really lies. The library is
 * resolved each time: it may have been mounted or linked anew.
 */
async function liesWithin(root: string, handle: FileHandle, path: string): Promise<boolean> {
  const [realPath, realRoot] = await Promise.all([resolveOpened(handle, path), realpath(root)]);
  return realPath.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep);
}

/**
 * Where the open file lies, links resolved. Asked of the handle where the system can tell (Linux),
 * so that nothing swapped in meanwhile is taken for it.
 */
async function resolveOpened(handle: FileHandle, path: string): Promise<string> {
  try {
    return await readlink(`/proc/self/fd/${handle.fd}`);
  } catch {
    return realpath(path); // no such view on other systems
  }
}

async function assertLibrary(root: string): Promise<void> {
  const isThere = await isFolder(root);
  if (!isThere) {
    throw new AppError('library_unavailable', 'The music library is not available now');
  }
}

function unavailable(cause: unknown): AppError {
  return new AppError('track_unavailable', 'The track cannot be read now', { cause });
}

function codeOf(error: unknown): string {
  return isNativeError(error) && 'code' in error ? String(error.code) : '';
}
