import { type Bench } from './bench';
import { figuresOf, formatLoadTable, listFailures, type PeerSamples } from './load-table';
import { measureLoad, type LoadOptions, type LoadSample } from './measure-load';
import { type Peer } from './peers/peer';
import { type RunningPeer } from './peers/running-peer';
import { type ScenarioResult } from './scenarios/scenario';
import { type WantedRequest } from './wanted-request';
import { withPeers } from './with-peers';

export interface ThroughputOptions extends Omit<LoadOptions, 'seconds' | 'requests'> {
  readonly peers: readonly Peer[];
  readonly libraryDir: string;
  /** @throws WrongAnswer */
  readonly check: (running: RunningPeer) => Promise<void>;
  readonly requestsFor: (running: RunningPeer) => readonly WantedRequest[];
  readonly notes?: readonly string[];
}

/** Long enough for V8 to have compiled what is hot; not counted. */
const WARM_UP_SECONDS = 1;

/** Peers under the same load, round by round: A B C, A B C, and so on. */
export async function measureThroughput(
  bench: Bench,
  options: ThroughputOptions,
): Promise<ScenarioResult> {
  const { value: measured, leftOut } = await withPeers(bench, options, async (running) => {
    const rows = running.map((each) => ({
      each,
      requests: options.requestsFor(each),
      samples: new Array<LoadSample>(),
    }));
    const measure = (row: (typeof rows)[number], seconds: number): Promise<LoadSample> =>
      measureLoad(bench, row.each, { ...options, seconds, requests: row.requests });

    for (const row of rows) await measure(row, WARM_UP_SECONDS);
    for (let round = 1; round <= bench.options.rounds; round += 1) {
      for (const row of rows) {
        const sample = await measure(row, bench.options.seconds);
        row.samples.push(sample);
        const rate = Math.round(sample.requestsPerSecond);
        bench.say(`  round ${round}: ${row.each.peer.name} ${rate} req/s`);
      }
    }
    return rows.map(({ each, samples }): PeerSamples => ({ peer: each.peer, samples }));
  });
  const notes = [...(options.notes ?? []), ...leftOut, ...listFailures(measured)];
  return {
    markdown: [formatLoadTable(measured), ...notes.map((note) => `- ${note}`)].join('\n'),
    figures: figuresOf(measured),
  };
}
