import { compareIds } from './compare-ids';

/** A track as it is kept: never changed, but replaced. */
export interface IndexedTrack {
  readonly id: string;
  /** what is searched, folded; fields are apart by line feeds */
  readonly searched: string;
  /** see `packed-metadata.ts` */
  readonly packed: string;
}

/** The tracks, in order. */
export interface CatalogueIndex {
  put(track: IndexedTrack): void;
  delete(id: string): void;
  /** All tracks by id in code points. The list is never changed; after changes it is another one. */
  snapshot(): readonly IndexedTrack[];
}

/** Merging takes a millisecond or two for 100,000 tracks, whatever it merges. */
const MOST_PENDING = 2_000;

/** Changes are gathered and merged when somebody asks, or when they are many. */
export function createCatalogueIndex(): CatalogueIndex {
  const pending = new Map<string, IndexedTrack | undefined>();
  let sorted: readonly IndexedTrack[] = [];

  const merge = (): void => {
    if (pending.size === 0) return;
    const changes = [...pending].sort(([a], [b]) => compareIds(a, b));
    pending.clear();
    sorted = mergeSorted(sorted, changes);
  };
  const note = (id: string, track: IndexedTrack | undefined): void => {
    pending.set(id, track);
    if (pending.size >= MOST_PENDING) merge();
  };

  return {
    put(track) {
      note(track.id, track);
    },
    delete(id) {
      note(id, undefined);
    },
    snapshot() {
      merge();
      return sorted;
    },
  };
}

/** @param changes by id in the same order; undefined for what is gone */
function mergeSorted(
  tracks: readonly IndexedTrack[],
  changes: readonly (readonly [string, IndexedTrack | undefined])[],
): IndexedTrack[] {
  const merged: IndexedTrack[] = [];
  let at = 0;
  for (const [id, track] of changes) {
    let next = tracks[at];
    while (next && compareIds(next.id, id) < 0) {
      merged.push(next);
      at += 1;
      next = tracks[at];
    }
    if (next?.id === id) at += 1;
    if (track) merged.push(track);
  }
  for (; at < tracks.length; at += 1) {
    const rest = tracks[at];
    if (rest) merged.push(rest);
  }
  return merged;
}
