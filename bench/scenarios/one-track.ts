import { checkTrack } from '../check-answers';
import { type BenchTrack } from '../library';
import { loadByWrk, measureRounds, type WrkEntry } from '../measure-rounds';
import { drawRanges } from '../wanted-request';
import { type Scenario } from './scenario';

/** What seeking and reading on looks like from the server: ranges of one length anywhere in one track. */
export function createRandomRanges(name: string, rangeBytes: number): Scenario {
  return createOneTrack(
    name,
    `Random ranges of ${rangeBytes / 1024} KiB of one track of 10.4 MB, 32 connections`,
    (track) => ({
      requestsFor: () => drawRanges([track], rangeBytes),
      connections: 32,
      probes: 4,
      status: 206,
      contentBytes: rangeBytes,
    }),
  );
}

/** Downloads, and players that never seek. */
export const wholeFiles = createOneTrack(
  'whole',
  'Whole files: one track of 10.4 MB, 16 connections',
  (track) => ({
    requestsFor: () => [{ kind: 'whole', trackId: track.id }],
    connections: 16,
    probes: 1,
    status: 200,
    contentBytes: track.lengthBytes,
  }),
);

type Load = Omit<WrkEntry, 'peer' | 'libraryDir' | 'check'>;

/** Every peer under the same load, for the bytes of the same track. */
function createOneTrack(
  name: string,
  title: string,
  loadOf: (track: BenchTrack) => Load,
): Scenario {
  return {
    name,
    title,
    run(bench) {
      const { dir, track } = bench.libraries.single();
      const check: WrkEntry['check'] = (running) => checkTrack(running, dir, track);
      const entries = bench.peers.map((peer) =>
        loadByWrk(bench, { peer, libraryDir: dir, check, ...loadOf(track) }),
      );
      return measureRounds(bench, entries);
    },
  };
}
