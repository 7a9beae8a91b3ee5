import { checkTrack } from '../check-answers';
import { loadByWrk, measureRounds } from '../measure-rounds';
import { drawRanges } from '../wanted-request';
import { type Scenario } from './scenario';

/** What seeking and reading on looks like from the server: ranges of one length anywhere in one track. */
export function createRandomRanges(name: string, rangeBytes: number): Scenario {
  return {
    name,
    title: `Random ranges of ${rangeBytes / 1024} KiB of one track of 10.4 MB, 32 connections`,
    run(bench) {
      const { dir, track } = bench.libraries.single();
      const entries = bench.peers.map((peer) =>
        loadByWrk(bench, {
          peer,
          libraryDir: dir,
          check: (running) => checkTrack(running, dir, track),
          requestsFor: () => drawRanges([track], rangeBytes),
          connections: 32,
          probes: 4,
          status: 206,
          contentBytes: rangeBytes,
        }),
      );
      return measureRounds(bench, entries);
    },
  };
}
