import { checkNotModified } from '../check-answers';
import { loadByWrk, measureRounds } from '../measure-rounds';
import { type Scenario } from './scenario';

/** Clients that have the track already and ask whether it is still the same. */
export const notModified: Scenario = {
  name: '304',
  title: 'Conditional requests answered 304, 32 connections',
  run(bench) {
    const { dir, track } = bench.libraries.single();
    const entityTags = new Map<string, string>();
    const entries = bench.peers.map((peer) =>
      loadByWrk(bench, {
        peer,
        libraryDir: dir,
        check: async (running) => {
          entityTags.set(running.peer.name, await checkNotModified(running, track));
        },
        requestsFor: ({ peer }) => [
          { kind: 'whole', trackId: track.id, ifNoneMatch: entityTags.get(peer.name) ?? '' },
        ],
        connections: 32,
        probes: 4,
        status: 304,
        contentBytes: 0,
      }),
    );
    return measureRounds(bench, entries, [
      "If-None-Match is the entity tag of each peer's own first answer",
    ]);
  },
};
