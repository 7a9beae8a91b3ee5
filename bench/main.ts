import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { choosePeers } from './all-peers';
import { type Bench } from './bench';
import { startRedis } from './bench-redis';
import { watchNeighbours } from './busy-neighbours';
import { createLibraries } from './libraries';
import { createLifetime, type Lifetime } from './lifetime';
import { INDISPENSABLE, inspectMachine, LOAD_CORE, type Machine } from './machine';
import { OptionsError, parseOptions, USAGE, type Options } from './options';
import { formatHeader, formatNeighbours, formatScenario } from './report';
import { ALL_SCENARIOS } from './scenarios/all-scenarios';
import { type Scenario, type ScenarioResult } from './scenarios/scenario';
import { formatTargets, type ScenarioFigures } from './targets';

const REPOSITORY_DIR = join(__dirname, '../..');
/** EX_USAGE of sysexits.h */
const EXIT_USAGE = 64;
/** 128 and the number of SIGINT, as shells have it */
const EXIT_INTERRUPTED = 130;

async function main(): Promise<void> {
  // where Debian has nginx, and not everybody's shell looks
  process.env.PATH = `${process.env.PATH ?? ''}:/usr/sbin`;
  const options = parseOptions(process.argv.slice(2), join(REPOSITORY_DIR, 'dist'));
  const scenarios = chooseScenarios(options);
  const machine = inspectMachine(REPOSITORY_DIR);
  const lacking = INDISPENSABLE.filter((name) => machine.missing.has(name));
  if (lacking.length > 0) {
    throw new OptionsError(
      `nothing can be measured without ${lacking.join(', ')}: npm run setup -- bench installs it`,
    );
  }
  const lifetime = createLifetime();
  const interrupt = (): void => {
    say('interrupted: stopping what was started');
    void lifetime.close().finally(() => process.exit(EXIT_INTERRUPTED));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, interrupt);
  try {
    await runAll({ options, scenarios, machine, lifetime });
  } finally {
    await lifetime.close();
  }
}

interface Run {
  readonly options: Options;
  readonly scenarios: readonly Scenario[];
  readonly machine: Machine;
  readonly lifetime: Lifetime;
}

async function runAll({ options, scenarios, machine, lifetime }: Run): Promise<void> {
  pinToLoadCore();
  const { peers, missing } = choosePeers(options, machine);
  const scratchDir = lifetime.createTempFolder();
  const redis = await startRedis(lifetime, scratchDir);
  const libraries = createLibraries(lifetime.createTempFolder(), options.isQuick);
  const bench = { options, peers, lifetime, libraries, redis, scratchDir, say };

  const printed: string[] = [];
  const print = (markdown: string): void => {
    printed.push(markdown);
    process.stdout.write(`${markdown}\n\n`);
    // after each scenario: who interrupts a run keeps what it has found so far
    if (options.outputFile !== undefined) {
      writeFileSync(options.outputFile, `${printed.join('\n\n')}\n`);
    }
  };
  try {
    print(formatHeader(machine, { options, peers, missing }));
    const figures: ScenarioFigures = new Map();
    for (const scenario of scenarios) {
      say(`${scenario.name}: ${scenario.title}`);
      const startedAt = performance.now();
      const result = await runScenario(scenario, bench);
      figures.set(scenario.name, result.figures);
      print(formatScenario(scenario, result));
      say(`  took ${Math.round((performance.now() - startedAt) / 1000)} s`);
    }
    print(formatTargets(figures));
  } finally {
    redis.close();
  }
}

/** One that cannot be run says why, and the others go on. */
async function runScenario(scenario: Scenario, bench: Bench): Promise<ScenarioResult> {
  const stopWatching = watchNeighbours();
  try {
    const { markdown, figures } = await scenario.run(bench);
    return { markdown: `${markdown}\n${formatNeighbours(stopWatching())}`, figures };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.exitCode = 1;
    return { markdown: `**This scenario failed: ${reason}**`, figures: [] };
  }
}

/** All threads of this process, and with it every probe. */
function pinToLoadCore(): void {
  spawnSync('taskset', ['-a', '-p', '-c', `${LOAD_CORE}`, `${process.pid}`]);
}

/** @throws OptionsError for a name that no scenario has */
function chooseScenarios({ only }: Options): readonly Scenario[] {
  const names = ALL_SCENARIOS.map(({ name }) => name);
  const strangers = [...(only ?? [])].filter((name) => !names.includes(name));
  if (strangers.length > 0) {
    throw new OptionsError(`--only: no ${strangers.join(', ')}; there is ${names.join(', ')}`);
  }
  return ALL_SCENARIOS.filter(({ name }) => only?.has(name) ?? true);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

main().catch((error: unknown) => {
  if (error instanceof OptionsError) {
    say(`${error.message}\n\n${USAGE}`);
    process.exitCode = EXIT_USAGE;
    return;
  }
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
});
