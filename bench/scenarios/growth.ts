import { checkTrack } from '../check-answers';
import { type BenchTrack } from '../library';
import { loadByWrk, measureRounds } from '../measure-rounds';
import { type Peer } from '../peers/peer';
import { drawRanges } from '../wanted-request';
import { type Scenario } from './scenario';

const RANGE_BYTES = 1_024;
const SAME_TRACKS = 10;
const LARGE_COUNT = 100_000;

/** The targets find the rows by these names. */
export const GROWTH_ROWS = {
  small: '10 tracks',
  large: '100,000 tracks',
  any: 'any of 100,000',
} as const;

/** What a request costs must not depend on how much else there is to listen to. */
export const growth: Scenario = {
  name: 'growth',
  title: 'Growth of the library: ranges of 1 KiB of tracks of 4 KiB, 32 connections',
  run(bench) {
    const small = bench.libraries.ofCount(SAME_TRACKS);
    const large = bench.libraries.ofCount(LARGE_COUNT);
    const sameTen = small.tracks;
    const entry = (peer: Peer, what: string, dir: string, tracks: readonly BenchTrack[]) =>
      loadByWrk(bench, {
        peer: { ...peer, name: `${peer.name}: ${what}` },
        libraryDir: dir,
        check: async (running) => {
          for (const track of sameTen) await checkTrack(running, dir, track);
        },
        requestsFor: () => drawRanges(tracks, RANGE_BYTES, { count: 20_000 }),
        connections: 32,
        probes: 4,
        status: 206,
        contentBytes: RANGE_BYTES,
      });
    const entries = bench.peers
      .filter(({ kind }) => kind === 'service')
      .flatMap((peer) => [
        entry(peer, GROWTH_ROWS.small, small.dir, sameTen),
        entry(peer, GROWTH_ROWS.large, large.dir, sameTen),
        entry(peer, GROWTH_ROWS.any, large.dir, large.tracks),
      ]);
    return measureRounds(bench, entries, [
      'the same ten tracks are asked for in both libraries; the last row asks for any of them',
    ]);
  },
};
