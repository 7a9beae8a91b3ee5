import { readFileSync } from 'node:fs';
import { type Bench } from '../bench';
import { checkTrack } from '../check-answers';
import { formatNumber, formatTable } from '../markdown';
import { measureListeners, type ListenersSample } from '../measure-listeners';
import { type Peer } from '../peers/peer';
import { type RunningPeer } from '../peers/running-peer';
import { median, quantile } from '../statistics';
import { withPeers } from '../with-peers';
import { type Figure, type Scenario, type ScenarioResult } from './scenario';

export interface PacedOptions {
  readonly listeners: number;
  /** this many at the most, whatever `--rounds` says: a measurement takes half a minute */
  readonly mostRounds: number;
  /** nginx too, to compare with, but for a quick look */
  readonly withNginx: boolean;
}

interface Row {
  readonly peer: Peer;
  readonly samples: ListenersSample[];
  readonly notes: Set<string>;
}

const ARRIVALS_PER_SECOND = 500;
const HOLD_SECONDS = 8;
const QUICK_ARRIVALS_PER_SECOND = 1_000;
const QUICK_HOLD_SECONDS = 4;
/** For the run's own files and the probes. */
const SPARE_DESCRIPTORS = 500;
const MEBIBYTE = 2 ** 20;

/** Listeners at the pace of the music: many connections of which each wants little. */
export function createPaced({ listeners, mostRounds, withNginx }: PacedOptions): Scenario {
  return {
    name: `paced-${listeners}`,
    title: `${listeners.toLocaleString('en-US')} paced listeners (16 kB/s each), without and with seeks`,
    async run(bench) {
      const limit = readDescriptorLimit('self');
      if (limit < listeners + SPARE_DESCRIPTORS) {
        const reason = `they take ${listeners} descriptors, and this machine allows ${limit} a process`;
        return { markdown: `**Cannot run on this machine: ${reason}.**`, figures: [] };
      }
      const isNginxWanted = withNginx && !bench.options.isQuick;
      const rows = bench.peers
        .filter(({ kind }) => kind === 'service' || (kind === 'nginx' && isNginxWanted))
        .map((peer): Row => ({ peer, samples: [], notes: new Set() }));
      for (let round = 1; round <= Math.min(mostRounds, bench.options.rounds); round += 1) {
        for (const row of rows) await measureRow(bench, row, listeners);
      }
      return formatResult(rows, listeners);
    },
  };
}

/** Each time a process of its own: what it takes above idle is what the listeners take. */
async function measureRow(bench: Bench, row: Row, listeners: number): Promise<void> {
  const { isQuick } = bench.options;
  const { dir, tracks } = bench.libraries.collection();
  const [checked] = tracks;
  const entry = {
    peer: row.peer,
    libraryDir: dir,
    check: async (running: RunningPeer) => {
      if (checked) await checkTrack(running, dir, checked);
    },
  };
  const { leftOut } = await withPeers(bench, [entry], async (started) => {
    for (const { running } of started) {
      const sample = await measureListeners(running, {
        tracks,
        count: listeners,
        arrivalsPerSecond: isQuick ? QUICK_ARRIVALS_PER_SECOND : ARRIVALS_PER_SECOND,
        holdSeconds: isQuick ? QUICK_HOLD_SECONDS : HOLD_SECONDS,
      });
      row.samples.push(sample);
      for (const note of explain(row.peer, sample, readDescriptorLimit(running.pid))) {
        row.notes.add(note);
      }
      const { late, cut, wrong } = sample.seeking.tally;
      bench.say(`  ${row.peer.name}: ${late} late, ${cut} cut, ${wrong} refused`);
    }
  });
  for (const line of leftOut) row.notes.add(line);
}

/** What a reader would take for the server's fault or merit, and is not. */
function explain(
  { name }: Peer,
  { seeking, steady, descriptors }: ListenersSample,
  limit: number,
): readonly string[] {
  const { worstLagMs, cutReasons } = seeking.tally;
  const failures = [...steady.probe.failures, ...seeking.probe.failures];
  return [
    ...(descriptors >= limit - 1
      ? [`**${name} came to the end of its ${limit} descriptors: the machine allows no more**`]
      : []),
    ...(worstLagMs > 1_000
      ? [`**the listeners themselves fell ${Math.round(worstLagMs)} ms behind beside ${name}**`]
      : []),
    ...cutReasons.slice(0, 3).map((reason) => `**${name}: connections were cut: ${reason}**`),
    ...(failures.length > 0
      ? [`**${name}: ${failures.length} probes failed: ${failures[0] ?? ''}**`]
      : []),
  ];
}

function formatResult(rows: readonly Row[], listeners: number): ScenarioResult {
  const measured = rows.filter(({ samples }) => samples.length > 0);
  const table = formatTable(
    [
      'peer',
      'late',
      'cut',
      'refused',
      'kB/listener',
      'seek p50 ms',
      'seek p99 ms',
      'with seeks p50 ms',
      'p99 ms',
      "listeners' seeks p99 ms",
      'CPU s arriving',
      'steady',
      'seeking',
      'peak MiB',
    ],
    measured.map(({ peer, samples }) => {
      const figure = figureOf(samples, listeners);
      return [
        peer.name,
        `${figure.late}`,
        `${figure.cut}`,
        `${figure.wrong}`,
        formatNumber(figure.residentBytesPerListener / 1000),
        formatNumber(figure.steadyP50Ms),
        formatNumber(figure.steadyP99Ms),
        formatNumber(figure.seekingP50Ms),
        formatNumber(figure.seekingP99Ms),
        formatNumber(figure.listenerSeekP99Ms),
        formatNumber(figure.arrivalCpuSeconds),
        formatNumber(figure.steadyCpuSeconds),
        formatNumber(figure.seekingCpuSeconds),
        formatNumber(figure.peakBytes / MEBIBYTE),
      ];
    }),
  );
  const notes = [
    'late: once lacked the bytes due at its pace, after 2 s of credit; kB/listener: most resident memory seen, less that of the idle server',
    'seek: time to first byte of new ranges of 64 KiB anywhere in the library, first beside listeners that stay, then beside listeners that each seek once a minute',
    ...rows.flatMap((row) => [...row.notes]),
  ];
  return {
    markdown: [table, '', ...notes.map((note) => `- ${note}`)].join('\n'),
    figures: measured.flatMap(({ peer, samples }) =>
      Object.entries(figureOf(samples, listeners)).map(([name, value]): Figure => ({
        peer: peer.name,
        name,
        value,
      })),
    ),
  };
}

/** Medians of the rounds, but for what must not happen in any of them. */
function figureOf(samples: readonly ListenersSample[], listeners: number) {
  const most = (read: (sample: ListenersSample) => number): number =>
    Math.max(...samples.map(read));
  const middle = (read: (sample: ListenersSample) => number): number => median(samples.map(read));
  return {
    late: most(({ seeking }) => seeking.tally.late),
    cut: most(({ seeking }) => seeking.tally.cut),
    wrong: most(({ seeking }) => seeking.tally.wrong),
    listening: Math.min(...samples.map(({ seeking }) => seeking.tally.listening)),
    residentBytesPerListener: middle(
      ({ residentBytes, idleBytes }) => (residentBytes - idleBytes) / listeners,
    ),
    steadyP50Ms: middle(({ steady }) => quantile(steady.probe.firstByteMs, 0.5)),
    steadyP99Ms: middle(({ steady }) => quantile(steady.probe.firstByteMs, 0.99)),
    seekingP50Ms: middle(({ seeking }) => quantile(seeking.probe.firstByteMs, 0.5)),
    seekingP99Ms: middle(({ seeking }) => quantile(seeking.probe.firstByteMs, 0.99)),
    listenerSeekP99Ms: middle(({ seeking }) => quantile(seeking.tally.seekFirstByteMs, 0.99)),
    arrivalCpuSeconds: middle(({ arrivalCpuSeconds }) => arrivalCpuSeconds),
    steadyCpuSeconds: middle(({ steady }) => steady.cpuSeconds),
    seekingCpuSeconds: middle(({ seeking }) => seeking.cpuSeconds),
    peakBytes: most(({ residentBytes }) => residentBytes),
  };
}

function readDescriptorLimit(pid: number | 'self'): number {
  const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0);
}
