import { join } from 'node:path';
import { createTrackMaker, type BenchTrack } from './library';
import { READY_TRACK_ID } from './peers/peer';

export interface Library {
  readonly dir: string;
  readonly tracks: readonly BenchTrack[];
}

/** The libraries of a run, each made when it is first asked for. */
export interface Libraries {
  /** one track of 10.4 MB, what performance.md's figures were taken with */
  single(): Library & { readonly track: BenchTrack };
  /** tracks of 8 to 12 MB: 500, or 50 in a quick look; under 5 GB, which fits no file's cache */
  collection(): Library;
  /** so many tracks of 4 KiB in one folder; of two counts, the lower one's are in both */
  ofCount(count: number): Library;
}

const READY_TRACK_BYTES = 4_096;
const SMALL_TRACK_BYTES = 4_096;
const SINGLE_BYTES = 10_400_000;
const COLLECTION_TRACKS = 500;
const QUICK_COLLECTION_TRACKS = 50;
const MIN_COLLECTION_BYTES = 8_000_000;
const MAX_COLLECTION_BYTES = 11_900_000;

export function createLibraries(dir: string, isQuick: boolean): Libraries {
  const trackMaker = createTrackMaker();
  const openFolder = (name: string): string => {
    const folder = join(dir, name);
    trackMaker.make(folder, READY_TRACK_ID, READY_TRACK_BYTES);
    return folder;
  };

  return {
    single: once(() => {
      const libraryDir = openFolder('single');
      const track = trackMaker.make(libraryDir, 'track', SINGLE_BYTES);
      return { dir: libraryDir, tracks: [track], track };
    }),
    collection: once(() => {
      const libraryDir = openFolder('collection');
      const count = isQuick ? QUICK_COLLECTION_TRACKS : COLLECTION_TRACKS;
      const stepBytes = Math.floor((MAX_COLLECTION_BYTES - MIN_COLLECTION_BYTES) / (count - 1));
      const tracks = Array.from({ length: count }, (_, index) =>
        // 7 has no factor in common with the counts: lengths do not grow with popularity
        trackMaker.make(
          libraryDir,
          `track-${index}`,
          MIN_COLLECTION_BYTES + stepBytes * ((index * 7) % count),
        ),
      );
      return { dir: libraryDir, tracks };
    }),
    ofCount(count) {
      const libraryDir = openFolder(`of-${count}`);
      const tracks = Array.from({ length: count }, (_, index) =>
        trackMaker.make(libraryDir, `small-${index}`, SMALL_TRACK_BYTES),
      );
      return { dir: libraryDir, tracks };
    },
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
