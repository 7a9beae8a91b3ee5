import { type Bench } from './bench';
import { figuresOf, formatLoadTable, listFailures, type PeerSamples } from './load-table';
import { measureLoad, type LoadOptions, type LoadSample } from './measure-load';
import { type RunningPeer } from './peers/running-peer';
import { type ScenarioResult } from './scenarios/scenario';
import { withPeers, type Entry } from './with-peers';

/** A peer, what it is to serve, and how it is put under load. */
export interface MeasuredEntry extends Entry {
  readonly measure: (running: RunningPeer, seconds: number) => Promise<LoadSample>;
  /** absent: two seconds once, or one when quick */
  readonly warmUp?: WarmUp;
}

/** Load that is not counted. */
export interface WarmUp {
  readonly onceSeconds: number;
  /** while the others have their turn, what a peer keeps for crowds is dropped */
  readonly eachRoundSeconds: number;
}

/** After one second the service was still getting faster, as V8 compiled what is hot. */
const WARM_UP: WarmUp = { onceSeconds: 2, eachRoundSeconds: 0 };
const QUICK_WARM_UP: WarmUp = { onceSeconds: 1, eachRoundSeconds: 0 };

/** Puts all entries under load, round by round: A B C, A B C, and so on. */
export async function measureRounds(
  bench: Bench,
  entries: readonly MeasuredEntry[],
  notes: readonly string[] = [],
): Promise<ScenarioResult> {
  const { value: measured, leftOut } = await withPeers(bench, entries, async (started) => {
    const usual = bench.options.isQuick ? QUICK_WARM_UP : WARM_UP;
    const rows = started.map(({ entry, running }) => ({
      entry,
      running,
      warmUp: entry.warmUp ?? usual,
      samples: new Array<LoadSample>(),
    }));
    for (const { entry, running, warmUp } of rows) await entry.measure(running, warmUp.onceSeconds);
    for (let round = 1; round <= bench.options.rounds; round += 1) {
      for (const { entry, running, warmUp, samples } of rows) {
        const { eachRoundSeconds } = warmUp;
        if (eachRoundSeconds > 0) await entry.measure(running, eachRoundSeconds);
        const sample = await entry.measure(running, bench.options.seconds);
        samples.push(sample);
        bench.say(
          `  round ${round}: ${entry.peer.name} ${Math.round(sample.requestsPerSecond)} req/s`,
        );
      }
    }
    return rows.map(({ entry, samples }): PeerSamples => ({ peer: entry.peer, samples }));
  });
  const lines = [...notes, ...leftOut, ...listFailures(measured)].map((note) => `- ${note}`);
  return {
    markdown: [formatLoadTable(measured), '', ...lines].join('\n'),
    figures: figuresOf(measured),
  };
}

/** Requests for wrk and the probes, the same for all peers or each peer's own. */
export interface WrkEntry extends Entry, Omit<LoadOptions, 'seconds' | 'requests'> {
  readonly requestsFor: (running: RunningPeer) => LoadOptions['requests'];
}

/** An entry that is put under load by wrk, as fast as the peer answers. */
export function loadByWrk(bench: Bench, entry: WrkEntry): MeasuredEntry {
  return {
    ...entry,
    measure: (running, seconds) =>
      measureLoad(bench, running, { ...entry, seconds, requests: entry.requestsFor(running) }),
  };
}
