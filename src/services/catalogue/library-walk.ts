import {
  WatchesExhausted,
  type FolderListing,
  type Library,
  type LibraryFolder,
  type ListedTrack,
} from '../../storage/library';

export interface LibraryWalkDeps {
  readonly library: Library;
  /** What a folder has now; called for each folder that is read, before those in it are. */
  readonly onTracks: (tracks: readonly ListedTrack[]) => Promise<void>;
  /** What it has no longer. */
  readonly onGone: (ids: readonly string[]) => void;
  /** Something in a folder has changed. */
  readonly onChange: (folderId: string) => void;
  /** Once, however often it is tried again. */
  readonly onWatchesExhausted: (error: WatchesExhausted) => void;
  /** A folder cannot be read now; what was known of it stays. */
  readonly onTrouble: (error: unknown) => void;
}

/** The folders of the library as they were last read, each with a watch on it. */
export interface LibraryWalk {
  readonly folderCount: number;
  readonly isWatching: boolean;
  /** Reads a folder and all below it. */
  readAll(folder: LibraryFolder): Promise<void>;
  /**
   * Reads a folder again, and what is new in it. Not before ten times as long has passed as the last
   * reading took: a folder of 100,000 files that changes all the time must not take all the time.
   *
   * @returns false when it is too early
   */
  readAgain(folderId: string): Promise<boolean>;
  /** Forgets a folder and all below it. */
  forget(folderId: string): void;
  close(): void;
}

interface Node {
  readonly folder: LibraryFolder;
  readonly trackIds: readonly string[];
  readonly children: readonly LibraryFolder[];
  readonly endWatch: (() => void) | undefined;
  readonly readableAt: number;
}

/** Links can make a small library endless: this many folders, and no more, are looked through. */
const MOST_FOLDERS = 100_000;
const PAUSE_FACTOR = 10;

export function createLibraryWalk(deps: LibraryWalkDeps): LibraryWalk {
  const { library, onTracks, onGone, onChange, onWatchesExhausted, onTrouble } = deps;
  const nodes = new Map<string, Node>();
  let isWatching = true;
  let wasExhaustionTold = false;
  let isClosed = false;

  const forget = (folderId: string): void => {
    const node = nodes.get(folderId);
    if (!node) return;
    nodes.delete(folderId);
    node.endWatch?.();
    onGone(node.trackIds);
    for (const child of node.children) forget(child.id);
  };

  const watch = (folder: LibraryFolder): (() => void) | undefined => {
    const known = nodes.get(folder.id);
    if (known?.endWatch && known.folder.state === folder.state) return known.endWatch;
    known?.endWatch?.();
    if (!isWatching) return undefined;
    try {
      return library.watch(folder, () => {
        onChange(folder.id);
      });
    } catch (error) {
      if (!(error instanceof WatchesExhausted)) throw error;
      isWatching = false; // the other folders keep theirs
      if (!wasExhaustionTold) onWatchesExhausted(error);
      wasExhaustionTold = true;
      return undefined;
    }
  };

  /** @returns what is in the folder; undefined when it is gone or cannot be read now */
  const read = async (folder: LibraryFolder): Promise<FolderListing | undefined> => {
    const startedAt = performance.now();
    // before the reading, so that nothing is missed between the two
    const endWatch = watch(folder);
    const before = nodes.get(folder.id);
    const note = (listing: FolderListing): void => {
      const now = performance.now();
      nodes.set(folder.id, {
        folder,
        trackIds: listing.tracks.map(({ id }) => id),
        children: listing.folders,
        endWatch,
        readableAt: now + (now - startedAt) * PAUSE_FACTOR,
      });
    };
    try {
      const listing = await library.list(folder);
      if (isClosed || !listing) {
        endWatch?.();
        if (before) nodes.set(folder.id, { ...before, endWatch: undefined });
        if (!isClosed && (await isStillThere())) forget(folder.id);
        return undefined;
      }
      note(listing);
      onGone(missing(before?.trackIds ?? [], new Set(listing.tracks.map(({ id }) => id))));
      const folderIds = new Set(listing.folders.map(({ id }) => id));
      for (const id of missing(before?.children.map((each) => each.id) ?? [], folderIds)) {
        forget(id);
      }
      await onTracks(listing.tracks);
      return listing;
    } catch (error) {
      onTrouble(error);
      if (before) nodes.set(folder.id, { ...before, endWatch });
      else endWatch?.();
      return undefined;
    }
  };

  /** A library that is taken away takes its folders along, which is no reason to forget them. */
  const isStillThere = async (): Promise<boolean> => {
    const root = await library.look();
    return root !== undefined && root.state === nodes.get('')?.folder.state;
  };

  const readAll = async (top: LibraryFolder): Promise<void> => {
    const ahead = [top];
    for (let folder = ahead.pop(); folder && !isClosed; folder = ahead.pop()) {
      if (!nodes.has(folder.id) && nodes.size >= MOST_FOLDERS) continue;
      const listing = await read(folder);
      if (listing) for (const child of [...listing.folders].reverse()) ahead.push(child);
    }
  };

  return {
    get folderCount() {
      return nodes.size;
    },
    get isWatching() {
      return isWatching;
    },
    readAll(folder) {
      // there may be watches again
      if (folder.id === '') isWatching = true;
      return readAll(folder);
    },
    async readAgain(folderId) {
      const node = nodes.get(folderId);
      if (!node) return true; // forgotten meanwhile
      if (performance.now() < node.readableAt) return false;
      const known = new Map(node.children.map(({ id, state }) => [id, state]));
      const listing = await read(node.folder);
      for (const child of listing?.folders ?? []) {
        // what could not be read has no watch of its own that would tell when it can
        const isAsRead = nodes.has(child.id) && known.get(child.id) === child.state;
        if (!isAsRead) await readAll(child);
      }
      return true;
    },
    forget,
    close() {
      isClosed = true;
      for (const { endWatch } of nodes.values()) endWatch?.();
    },
  };
}

function missing(ids: readonly string[], present: ReadonlySet<string>): readonly string[] {
  return ids.filter((id) => !present.has(id));
}
