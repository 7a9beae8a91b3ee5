import { formatNumber, formatTable } from './markdown';
import { GROWTH_ROWS } from './scenarios/growth';
import { type Figure } from './scenarios/scenario';
import { nameWithWorkers } from './scenarios/workers';

/** Figures by scenario. */
export type ScenarioFigures = Map<string, readonly Figure[]>;

interface Verdict {
  readonly measured: string;
  readonly isReached: boolean;
}

interface Target {
  readonly what: string;
  readonly must: string;
  /** undefined when a figure it takes was not measured */
  readonly judge: (figure: FindFigure) => Verdict | undefined;
}

/** NaN for what was not measured. */
type FindFigure = (scenario: string, peer: string, name: string) => number;

const NODE_PEERS = ['express-static', 'fastify-static', 'classic'];

/** What must be reached. */
const TARGETS: readonly Target[] = [
  {
    what: '64 KiB ranges',
    must: '8 x the classic stack, above every Node peer',
    judge(figure) {
      const rate = (peer: string): number => figure('64k', peer, 'requestsPerSecond');
      const toClassic = rate('ours') / rate('classic');
      const toBest = rate('ours') / Math.max(...NODE_PEERS.map(rate));
      return verdict(
        [toClassic, toBest],
        `${formatNumber(toClassic)} x classic, ${formatNumber(toBest)} x the best Node peer`,
        toClassic >= 8 && toBest > 1,
      );
    },
  },
  atLeast('1 MiB ranges', '0.9 x bare nginx', 0.9, (figure) => toNginx(figure, '1m')),
  atLeast('whole file', '1.0 x bare nginx', 1, (figure) => toNginx(figure, 'whole')),
  {
    what: 'time to first byte, 32 connections of 64 KiB ranges, p99',
    must: "below every Node peer's",
    judge(figure) {
      const p99 = (peer: string): number => figure('64k', peer, 'firstByteP99Ms');
      const best = Math.min(...NODE_PEERS.map(p99));
      return verdict(
        [p99('ours'), best],
        `${formatNumber(p99('ours'))} ms; best Node peer ${formatNumber(best)} ms`,
        p99('ours') < best,
      );
    },
  },
  {
    what: '5,000 paced listeners (16 kB/s each) on one core',
    must: 'every listener on time, RSS <= 60 kB a listener above idle',
    judge(figure) {
      const of = (name: string): number => figure('paced-5000', 'ours', name);
      const notServed = of('late') + of('cut') + of('wrong');
      const kilobytes = of('residentBytesPerListener') / 1000;
      return verdict(
        [notServed, kilobytes],
        `${of('late')} late, ${of('cut')} cut, ${of('wrong')} refused; ${formatNumber(kilobytes)} kB`,
        notServed === 0 && kilobytes <= 60,
      );
    },
  },
  atMost('a new seek while those 5,000 listen, p99', '<= 50 ms', 50, (figure) =>
    // the worse of the two: beside listeners that stay, and beside listeners that seek
    Math.max(
      figure('paced-5000', 'ours', 'steadyP99Ms'),
      figure('paced-5000', 'ours', 'seekingP99Ms'),
    ),
  ),
  atLeast('cached metadata', '5 x a naive handler behind the classic middleware', 5, (figure) => {
    const rate = (peer: string): number => figure('metadata', peer, 'requestsPerSecond');
    return rate('ours') / rate('classic');
  }),
  {
    what: 'cold metadata, 200 parallel requests for one track',
    must: 'exactly 1 parse',
    judge(figure) {
      const of = (name: string): number => figure('cold-metadata', 'ours', name);
      const [fewest, most, wrong] = [of('fewestParses'), of('mostParses'), of('wrongAnswers')];
      return verdict(
        [fewest, most, wrong],
        `${fewest === most ? most : `${fewest} to ${most}`}, ${wrong} wrong answers`,
        fewest === 1 && most === 1 && wrong === 0,
      );
    },
  },
  atMost('start to first 200 on /health, built code', '<= 1 s', 1_000, (figure) =>
    figure('start-up', 'ours', 'startMs'),
  ),
  withinTenPercent('cost per request as the library grows 10 -> 100,000 tracks', (figure) => {
    const cpu = (row: string): number =>
      figure('growth', `ours: ${row}`, 'cpuMicrosecondsPerRequest');
    return cpu(GROWTH_ROWS.large) / cpu(GROWTH_ROWS.small);
  }),
  atMost('first byte of an MP3 that nobody asked for before', '<= 300 ms', 300, (figure) =>
    figure('transcode', 'ours', 'firstByteMs'),
  ),
  atLeast('speed of a whole transcode, beside ffmpeg alone', '>= 0.9 x', 0.9, (figure) =>
    figure('transcode', 'ours', 'ofBareSpeed'),
  ),
  atMost('first segment of HLS, with the lists before it', '<= 500 ms', 500, (figure) =>
    figure('hls', 'ours', 'firstMs'),
  ),
  atMost('a jump to the middle of a book of 10 hours by HLS', '<= 2 s', 2_000, (figure) =>
    figure('hls', 'ours', 'jumpMs'),
  ),
  singleFigure('memory for a catalogue of 100,000 tracks', '< 250 MB', {
    unit: 'MB',
    measure: (figure) => (figure('catalogue', 'ours', 'moreMiB') * 2 ** 20) / 1e6,
    isEnough: (megabytes) => megabytes < 250,
  }),
  singleFigure('answers from it, p99 of the slowest kind of question', '< 50 ms', {
    unit: 'ms',
    measure: (figure) => figure('catalogue', 'ours', 'p99Ms'),
    isEnough: (ms) => ms < 50,
  }),
  withinTenPercent('CPU per request with 2 workers, beside 1', (figure) => {
    const cpu = (count: number): number =>
      figure('workers', nameWithWorkers('ours', count), 'cpuMicrosecondsPerRequest');
    return cpu(2) / cpu(1);
  }),
];

/** What is to be reached, and whether this run has reached it. */
export function formatTargets(figures: ScenarioFigures): string {
  const find: FindFigure = (scenario, peer, name) =>
    figures.get(scenario)?.find((each) => each.peer === peer && each.name === name)?.value ??
    Number.NaN;
  const rows = TARGETS.map(({ what, must, judge }) => {
    const found = judge(find);
    if (!found) return [what, must, 'not measured in this run', '-'];
    return [what, must, found.measured, found.isReached ? 'reached' : '**not reached**'];
  });
  return `## Targets\n\n${formatTable(['what', 'must reach', 'ours, measured', 'verdict'], rows)}`;
}

/** How often as much as something else. */
function atLeast(what: string, must: string, least: number, measure: Measure): Target {
  return singleFigure(what, must, { unit: 'x', measure, isEnough: (ratio) => ratio >= least });
}

/** @param most milliseconds */
function atMost(what: string, must: string, most: number, measure: Measure): Target {
  return singleFigure(what, must, { unit: 'ms', measure, isEnough: (ms) => ms <= most });
}

function withinTenPercent(what: string, measure: Measure): Target {
  const isEnough = (ratio: number): boolean => Math.abs(ratio - 1) <= 0.1;
  return singleFigure(what, 'flat (+-10 %)', { unit: 'x', measure, isEnough });
}

type Measure = (figure: FindFigure) => number;

interface SingleFigure {
  readonly unit: 'x' | 'ms' | 'MB';
  readonly measure: Measure;
  readonly isEnough: (value: number) => boolean;
}

function singleFigure(
  what: string,
  must: string,
  { unit, measure, isEnough }: SingleFigure,
): Target {
  return {
    what,
    must,
    judge(figure) {
      const value = measure(figure);
      return verdict([value], `${formatNumber(value)} ${unit}`, isEnough(value));
    },
  };
}

function toNginx(figure: FindFigure, scenario: string): number {
  const rate = (peer: string): number => figure(scenario, peer, 'requestsPerSecond');
  return rate('ours') / rate('nginx');
}

function verdict(
  figures: readonly number[],
  measured: string,
  isReached: boolean,
): Verdict | undefined {
  return figures.some(Number.isNaN) ? undefined : { measured, isReached };
}
