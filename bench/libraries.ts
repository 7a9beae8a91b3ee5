import { spawnSync } from 'node:child_process';
import { statfsSync } from 'node:fs';
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
  /** so many tracks of 4 KiB, ten in an album, ten albums of an artist */
  albums(count: number): Library;
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
      needSpace(dir, count * MAX_COLLECTION_BYTES);
      const stepBytes = Math.floor((MAX_COLLECTION_BYTES - MIN_COLLECTION_BYTES) / (count - 1));
      const tracks = Array.from({ length: count }, (_, index) =>
        // 7 has no factor in common with the counts: lengths do not grow with popularity
        trackMaker.make(
          libraryDir,
          `track-${index}`,
          MIN_COLLECTION_BYTES + stepBytes * ((index * 7) % count),
        ),
      );
      settle(libraryDir);
      return { dir: libraryDir, tracks };
    }),
    ofCount(count) {
      const libraryDir = openFolder(`of-${count}`);
      const tracks = Array.from({ length: count }, (_, index) =>
        trackMaker.make(libraryDir, `small-${index}`, SMALL_TRACK_BYTES),
      );
      settle(libraryDir);
      return { dir: libraryDir, tracks };
    },
    albums(count) {
      const libraryDir = openFolder(`albums-of-${count}`);
      const tracks = Array.from({ length: count }, (_, index) => {
        const album = Math.floor(index / 10);
        const artist = 100_000 + Math.floor(album / 10);
        const folder = join(libraryDir, `Artist ${artist}`, `Album ${album}`);
        return trackMaker.make(folder, `album-${album}-${index % 10}`, SMALL_TRACK_BYTES);
      });
      settle(libraryDir);
      return { dir: libraryDir, tracks };
    },
  };
}

/** Has everything written out now, so that the disk is not busy with it while we measure. */
function settle(dir: string): void {
  spawnSync('sync', ['-f', dir]);
}

/** A gigabyte is left to everybody else. @throws when the folder's disk has less */
function needSpace(dir: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(dir);
  const [needed, free] = [bytes + 1e9, bavail * bsize].map((each) => (each / 1e9).toFixed(1));
  if (bavail * bsize < bytes + 1e9) {
    throw new Error(
      `the library takes ${needed} GB and ${free} GB are free: set TMPDIR to elsewhere`,
    );
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
