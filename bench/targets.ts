import { formatNumber, formatTable } from './markdown';
import { type Figure } from './scenarios/scenario';

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

/** The column "must reach" of the performance targets, but for what is about transcoding. */
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

function atLeast(
  what: string,
  must: string,
  least: number,
  measure: (figure: FindFigure) => number,
): Target {
  return {
    what,
    must,
    judge(figure) {
      const ratio = measure(figure);
      return verdict([ratio], `${formatNumber(ratio)} x`, ratio >= least);
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
