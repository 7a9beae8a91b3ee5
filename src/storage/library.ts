/** A folder of the library, and where it lies. */
export interface LibraryFolder {
  /** the ids of its tracks begin with it; empty for the library itself */
  readonly id: string;
  /** changes when another folder takes its place under the same name */
  readonly state: string;
  /** what has this id: two folders, where one is written composed and the other decomposed */
  readonly paths: readonly string[];
  /** the folder itself and all it lies in, links followed */
  readonly lineage: readonly string[];
}

/** An id that may be opened, and the state of what lies under its names. */
export interface ListedTrack {
  /** composed (NFC), unless it is stored in neither form and opens only as it is stored */
  readonly id: string;
  /** another one after any change of the file, or of which file it is */
  readonly state: string;
}

export interface FolderListing {
  readonly tracks: readonly ListedTrack[];
  readonly folders: readonly LibraryFolder[];
}

/** No more folders can be watched in this process, or by this user of the machine. */
export class WatchesExhausted extends Error {
  override readonly name = 'WatchesExhausted';
}

/** What is in the library: the counterpart of `TrackStore`, which opens what is asked for. */
export interface Library {
  /** The library itself as it is now; undefined while it is missing, or closed to us. */
  look(): Promise<LibraryFolder | undefined>;
  /**
   * Names what a folder holds. Whether an id can be opened only opening it tells.
   *
   * @returns undefined when the folder is gone, or closed to us
   * @throws Error when that cannot be told now
   */
  list(folder: LibraryFolder): Promise<FolderListing | undefined>;
  /**
   * Calls back after changes in the folder itself, not in those below; where the system tells of
   * none, as on network file systems, it never does.
   *
   * @returns ends the watch
   * @throws WatchesExhausted
   */
  watch(folder: LibraryFolder, onChange: () => void): () => void;
}

/** For a store that cannot list what it has. */
export const noLibrary: Library = {
  look: () => Promise.resolve(undefined),
  list: () => Promise.resolve(undefined),
  watch: () => () => undefined,
};
