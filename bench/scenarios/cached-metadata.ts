import { checkMetadata } from '../check-answers';
import { loadByWrk, measureRounds } from '../measure-rounds';
import { type Scenario } from './scenario';

/** What a player shows while it plays, of a track that somebody has asked for before. */
export const cachedMetadata: Scenario = {
  name: 'metadata',
  title: 'Cached metadata of one track, 32 connections',
  run(bench) {
    const { dir, track } = bench.libraries.single();
    const entries = bench.peers
      .filter(({ metadataPathOf }) => metadataPathOf !== undefined)
      .map((peer) =>
        loadByWrk(bench, {
          peer,
          libraryDir: dir,
          // the check's own request fills the cache
          check: (running) => checkMetadata(running, track),
          requestsFor: () => [{ kind: 'metadata', trackId: track.id }],
          connections: 32,
          probes: 4,
          status: 200,
          contentBytes: undefined,
        }),
      );
    return measureRounds(bench, entries, [
      'classic answers with Redis GET, JSON.parse and res.json, as one would at first',
    ]);
  },
};
