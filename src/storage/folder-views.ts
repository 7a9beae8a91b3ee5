import { realpath, stat } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import { isSameState, isSettled, stateOf, type FileState } from './file-state';

/** A folder as one look saw it. */
export interface FolderView {
  /** changes whenever a name in the folder appears, vanishes or is given to another file */
  readonly state: FileState;
  /** links resolved, like that of the library at the same time */
  readonly realPath: string;
  readonly realRoot: string;
  /** whether whatever happens in the folder after the look is sure to show in the next */
  readonly isSettled: boolean;
}

export interface FolderViews {
  /** A view no older than 500 ms; undefined where there is no folder to look at. */
  look(folder: string): Promise<FolderView | undefined>;
  /** The same, where it costs no look. */
  recall(folder: string): FolderView | undefined;
}

export interface Clocks {
  /** milliseconds on a clock that never goes back */
  readonly now: () => number;
  /** milliseconds since 1970 */
  readonly wallNow: () => number;
}

/** As long as a kept track is served without a look at its path. */
const MAX_UNSEEN_MS = 500;
/** About 1 MB when full. */
const MAX_FOLDERS = 1_000;

interface Look {
  readonly startedAt: number;
  readonly view: Promise<FolderView | undefined>;
  /** once it is over */
  result?: FolderView | undefined;
}

/** Looks at the folders of a library: one look for all who ask within 500 ms. */
export function createFolderViews(root: string, { now, wallNow }: Clocks): FolderViews {
  const looks = new LRUCache<string, Look>({ max: MAX_FOLDERS });

  const view = async (folder: string): Promise<FolderView | undefined> => {
    const wallMs = wallNow();
    try {
      const [stats, realPath, realRoot] = await Promise.all([
        stat(folder, { bigint: true }),
        realpath(folder),
        folder === root ? undefined : realpath(root),
      ]);
      const state = stateOf(stats);
      return {
        state,
        realPath,
        realRoot: realRoot ?? realPath,
        isSettled: isSettled(state, wallMs),
      };
    } catch {
      return undefined; // what there is to say of it, opening the track will say
    }
  };

  const recent = (folder: string): Look | undefined => {
    const look = looks.get(folder);
    return look && now() - look.startedAt < MAX_UNSEEN_MS ? look : undefined;
  };

  return {
    recall: (folder) => recent(folder)?.result,
    look(folder) {
      const known = recent(folder);
      if (known) return known.view;
      const look: Look = { startedAt: now(), view: view(folder) };
      looks.set(folder, look);
      void look.view.then((result) => (look.result = result));
      return look.view;
    },
  };
}

/** Whether the same names stand for the same files, in the same place of the same library. */
export function isSameFolder(a: FolderView, b: FolderView): boolean {
  return (
    a === b ||
    (isSameState(a.state, b.state) && a.realPath === b.realPath && a.realRoot === b.realRoot)
  );
}
