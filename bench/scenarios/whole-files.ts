import { checkTrack } from '../check-answers';
import { loadByWrk, measureRounds } from '../measure-rounds';
import { type Scenario } from './scenario';

/** Downloads, and players that never seek. */
export const wholeFiles: Scenario = {
  name: 'whole',
  title: 'Whole files: one track of 10.4 MB, 16 connections',
  run(bench) {
    const { dir, track } = bench.libraries.single();
    const entries = bench.peers.map((peer) =>
      loadByWrk(bench, {
        peer,
        libraryDir: dir,
        check: (running) => checkTrack(running, dir, track),
        requestsFor: () => [{ kind: 'whole', trackId: track.id }],
        connections: 16,
        probes: 1,
        status: 200,
        contentBytes: track.lengthBytes,
      }),
    );
    return measureRounds(bench, entries);
  },
};
