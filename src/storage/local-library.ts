import { watch, type BigIntStats, type Dirent, type FSWatcher } from 'node:fs';
import { opendir, realpath, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { isNativeError } from 'node:util/types';
import { isAbsence } from './file-calls';
import {
  WatchesExhausted,
  type FolderListing,
  type Library,
  type LibraryFolder,
  type ListedTrack,
} from './library';
import { SPELLED_EXTENSIONS } from './local-store';
import { parseTrackId } from './track-id';

/** Watches one folder, as `fs.watch` does. */
export type WatchFolder = (path: string, onChange: () => void) => Pick<FSWatcher, 'close' | 'on'>;

/** Looks that are under way at once, of the eight threads that also read what is played. */
const LOOKS_AT_ONCE = 4;
const CLOSED = new Set(['EACCES', 'EPERM']);
const EXHAUSTED = new Set(['ENOSPC', 'EMFILE', 'ENFILE']);

/**
 * Lists the folders below a root by the rules of `local-store.ts`: the same extensions, nothing
 * hidden, links to folders while they stay inside, and none twice in one path.
 *
 * @param root the library; it may be missing and appear later
 * @param watchFolder for tests
 */
export function createLocalLibrary(
  root: string,
  watchFolder: WatchFolder = (path, onChange) =>
    watch(path, { persistent: false }).on('change', onChange),
): Library {
  const library = resolve(root);
  return {
    async look() {
      // by a name in it, as its tracks are: that takes the right to go into it
      const stats = await statIfPresent(`${library}${sep}.`);
      if (!stats?.isDirectory() || !(await isListable(library))) return undefined;
      const self = identityOf(stats);
      return { id: '', state: self, paths: [library], lineage: [self] };
    },

    async list(folder) {
      const found = await readNames(folder);
      if (!found) return undefined;
      const realRoot = await realpath(library);
      const tracks = new Map<string, string[]>();
      const folders = new Map<string, Place[]>();
      await inGroups(found, async (candidate) => {
        const stats = await statIfPresent(candidate.path);
        if (stats?.isDirectory() && candidate.folderId !== undefined) {
          const place = { path: candidate.path, self: identityOf(stats) };
          if (folder.lineage.includes(place.self)) return;
          if (candidate.isLink && !(await isWithin(realRoot, place.path))) return;
          append(folders, candidate.folderId, place);
        } else if (stats?.isFile() && candidate.trackId !== undefined) {
          append(tracks, candidate.trackId, describeState(stats));
        }
      });
      return { tracks: joinStates(tracks), folders: joinPlaces(folder, folders) };
    },

    watch({ paths }, onChange) {
      const watchers: Pick<FSWatcher, 'close'>[] = [];
      const end = (): void => {
        for (const watcher of watchers) watcher.close();
      };
      for (const path of paths) {
        try {
          const watcher = watchFolder(path, onChange);
          watchers.push(watcher);
          watcher.on('error', () => {
            watcher.close();
          });
        } catch (error) {
          if (EXHAUSTED.has(codeOf(error))) {
            end();
            throw new WatchesExhausted('no more folders can be watched', { cause: error });
          }
          // gone or closed meanwhile: listing it will say so
        }
      }
      return end;
    },
  };
}

/** A name that may be a track's or a folder's. */
interface Candidate {
  readonly path: string;
  readonly isLink: boolean;
  readonly trackId?: string;
  readonly folderId?: string;
}

interface Place {
  readonly path: string;
  readonly self: string;
}

/** @returns undefined when none of the folder's paths can be listed */
async function readNames({ id, paths }: LibraryFolder): Promise<Candidate[] | undefined> {
  const prefix = id === '' ? '' : `${id}/`;
  const candidates: Candidate[] = [];
  let isListed = false;
  for (const path of paths) {
    try {
      for await (const entry of await opendir(path, { bufferSize: 256 })) {
        const candidate = readEntry(entry, path, prefix);
        if (candidate) candidates.push(candidate);
      }
      isListed = true;
    } catch (error) {
      if (!isOutOfReach(error)) throw error;
    }
  }
  return isListed ? candidates : undefined;
}

function readEntry(entry: Dirent, folder: string, prefix: string): Candidate | undefined {
  const { name } = entry;
  // what some file systems do not tell is looked at, as links are
  const isLink = entry.isSymbolicLink();
  const isOpenQuestion = isLink || !(entry.isFile() || entry.isDirectory());
  const extension = SPELLED_EXTENSIONS.find((each) => name.endsWith(`.${each}`));
  const stem = extension === undefined ? '' : name.slice(0, -extension.length - 1);
  const trackId = entry.isDirectory() ? undefined : validId(prefix, stem);
  const folderId = isOpenQuestion || entry.isDirectory() ? validId(prefix, name) : undefined;
  if (trackId === undefined && folderId === undefined) return undefined;
  return {
    path: join(folder, name),
    isLink,
    ...(trackId === undefined ? {} : { trackId }),
    ...(folderId === undefined ? {} : { folderId }),
  };
}

function validId(prefix: string, name: string): string | undefined {
  const id = prefix + spellForClients(name);
  return parseTrackId(id) ? id : undefined;
}

/** Composed where that finds the name again: see `spellingsOf()`. */
function spellForClients(name: string): string {
  const composed = name.normalize('NFC');
  return name === composed || name === name.normalize('NFD') ? composed : name;
}

/** As little as tells apart; no device, which is another after each mount. */
function describeState({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [ino, size, mtimeNs, ctimeNs].map((value) => value.toString(36)).join('-');
}

/** With its birth: a folder that is made right after another has gone often gets its inode. */
function identityOf({ dev, ino, birthtimeNs }: BigIntStats): string {
  return [dev, ino, birthtimeNs].map((value) => value.toString(36)).join('-');
}

function joinStates(tracks: ReadonlyMap<string, readonly string[]>): ListedTrack[] {
  // of several files opening picks one; a change of any may change which
  return [...tracks].map(([id, states]) => ({ id, state: [...states].sort().join() }));
}

function joinPlaces(
  { lineage }: LibraryFolder,
  folders: ReadonlyMap<string, readonly Place[]>,
): FolderListing['folders'] {
  return [...folders].map(([id, places]) => {
    const selves = places.map(({ self }) => self).sort();
    return {
      id,
      state: selves.join(),
      paths: places.map(({ path }) => path).sort(),
      lineage: [...lineage, ...selves],
    };
  });
}

async function statIfPresent(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (isOutOfReach(error)) return undefined;
    throw error;
  }
}

async function isListable(path: string): Promise<boolean> {
  try {
    await (await opendir(path)).close();
    return true;
  } catch (error) {
    if (isOutOfReach(error)) return false;
    throw error;
  }
}

async function isWithin(realRoot: string, path: string): Promise<boolean> {
  const prefix = realRoot.endsWith(sep) ? realRoot : realRoot + sep;
  return realpath(path).then(
    (real) => real.startsWith(prefix),
    () => false, // gone, or a loop of links
  );
}

async function inGroups<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += LOOKS_AT_ONCE) {
    await Promise.all(items.slice(at, at + LOOKS_AT_ONCE).map(act));
  }
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const known = map.get(key);
  if (known) known.push(value);
  else map.set(key, [value]);
}

/** Gone, or closed to us: no trouble of the disk. */
function isOutOfReach(error: unknown): boolean {
  return isAbsence(error) || CLOSED.has(codeOf(error));
}

function codeOf(error: unknown): string {
  return isNativeError(error) && 'code' in error ? String(error.code) : '';
}
