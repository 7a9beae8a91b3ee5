import { type BigIntStats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { isSameState, isSettled, stateOf, type FileState } from './file-state';
import { isSameFolder, type Clocks, type FolderView, type FolderViews } from './folder-views';

/** Where a track was found, and the state that it was in there. */
export interface Sighting {
  readonly path: string;
  /** one object for one state of one file, however often it is found */
  readonly state: FileState;
}

/** One search for a track. */
export interface Search {
  /**
   * What the search would find, unless the file itself has changed. Its place in the library is
   * verified for that state alone, and for a path whose last name is no link.
   */
  readonly expected: Sighting | undefined;
  /**
   * Remembers what was found.
   *
   * @param realPath links resolved; within the library
   * @returns its state, or undefined while it could change without a trace
   */
  found(path: string, stats: BigIntStats, realPath: string): FileState | undefined;
}

export interface Sightings {
  /** @param folder where the track is looked for first */
  begin(id: string, folder: string): Promise<Search>;
}

interface Remembered extends Sighting {
  /** not in the folder that is searched first, or by way of a link: a look at the folder proves little */
  readonly isElsewhere: boolean;
  /** of the folder, from before the search; undefined when there was none, or one that proves nothing */
  readonly view: FolderView | undefined;
}

/** About 6 MB when full. */
const MAX_SIGHTINGS = 10_000;

/**
 * Remembers where tracks were found. To find one again takes no search while its folder is the same:
 * then no name in it has come or gone, and it lies where it lay. That is looked at every 500 ms, once
 * for all tracks of the folder.
 */
export function createSightings(folders: FolderViews, wallNow: Clocks['wallNow']): Sightings {
  const known = new LRUCache<string, Remembered>({ max: MAX_SIGHTINGS });

  const begin = async (id: string, folder: string): Promise<Search> => {
    const startedAt = wallNow();
    const last = known.get(id);
    // an id that was asked for once may never be asked for again: that is worth no look
    const view = last && !last.isElsewhere ? await folders.look(folder) : folders.recall(folder);
    const isProven = last?.view && view && isSameFolder(last.view, view);
    return {
      expected: isProven ? last : undefined,
      found(path, stats, realPath) {
        if (!isSettled(stats, startedAt)) {
          known.delete(id);
          return undefined;
        }
        const isElsewhere =
          dirname(path) !== folder || (view && realPath !== join(view.realPath, basename(path)));
        const state = last && isSameState(last.state, stats) ? last.state : stateOf(stats);
        known.set(id, {
          path,
          state,
          isElsewhere: isElsewhere ?? false,
          view: !isElsewhere && view?.isSettled ? view : undefined,
        });
        return state;
      },
    };
  };
  return { begin };
}
