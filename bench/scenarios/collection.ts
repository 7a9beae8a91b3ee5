import { checkTrack } from '../check-answers';
import { createRandom, createZipf } from '../random';
import { loadByWrk, measureRounds } from '../measure-rounds';
import { drawRange } from '../wanted-request';
import { type Scenario } from './scenario';

const RANGE_BYTES = 64 * 1024;
const REQUESTS = 20_000;
const CHECKED_TRACKS = 3;

/** Many tracks, a few of them loved: no single file's cache holds what is asked for. */
export const collection: Scenario = {
  name: 'library',
  title:
    'Random ranges of 64 KiB of a library of tracks of 8 to 12 MB, Zipf choice, 32 connections',
  run(bench) {
    const { dir, tracks } = bench.libraries.collection();
    const random = createRandom(2);
    const drawIndex = createZipf(random, tracks.length);
    const requests = Array.from({ length: REQUESTS }, () => {
      const track = tracks[drawIndex()];
      if (!track) throw new Error('the library is empty');
      return drawRange(random, track, RANGE_BYTES);
    });
    const entries = bench.peers.map((peer) =>
      loadByWrk(bench, {
        peer,
        libraryDir: dir,
        check: async (running) => {
          for (const track of tracks.slice(0, CHECKED_TRACKS))
            await checkTrack(running, dir, track);
        },
        requestsFor: () => requests,
        connections: 32,
        probes: 4,
        status: 206,
        contentBytes: RANGE_BYTES,
      }),
    );
    return measureRounds(bench, entries, [`${tracks.length} tracks`]);
  },
};
