import { type Machine } from './machine';
import { type Options } from './options';
import { type Peer } from './peers/peer';
import { type Scenario, type ScenarioResult } from './scenarios/scenario';

export interface RunFacts {
  readonly options: Options;
  readonly peers: readonly Peer[];
  readonly missing: readonly string[];
}

/** What a reader has to know before the first figure. */
export function formatHeader({ facts }: Machine, { options, peers, missing }: RunFacts): string {
  const { rounds, seconds, isQuick } = options;
  const method =
    `medians of ${rounds} interleaved ${rounds === 1 ? 'round' : 'rounds'}` +
    ` of ${seconds} s each${isQuick ? '; **a quick look, not a result**' : ''}`;
  return [
    '# Benchmarks',
    '',
    ...[...facts, ['Method', method] as const].map(([name, value]) => `- ${name}: ${value}`),
    '',
    'Peers:',
    '',
    ...peers.map(({ name, description }) => `- ${name}: ${description}`),
    ...missing.map((line) => `- **${line}**`),
  ].join('\n');
}

export function formatScenario({ name, title }: Scenario, { markdown }: ScenarioResult): string {
  return `## ${title}\n\n${markdown}\n\nRun alone with \`npm run bench -- --only ${name}\`.`;
}

/** Above this share of a core, other programs on the machine have to be told of. */
const QUIET_NEIGHBOURS = 0.05;

/** @param cores how many cores' worth of time was not the run's own */
export function formatNeighbours(cores: number): string {
  const share = `${Math.round(cores * 100)} % of a core`;
  return cores <= QUIET_NEIGHBOURS
    ? `- other programs took ${share} meanwhile`
    : `- **other programs took ${share} meanwhile: figures are lower and less steady for it**`;
}
