import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';

/** Where the servers run, one at a time busy. */
export const SERVER_CORE = 0;
/** Where everything else runs: wrk, the probes, Redis. */
export const LOAD_CORE = 1;

export interface Machine {
  /** programs that are not installed, of all that a run uses */
  readonly missing: ReadonlySet<string>;
  /** what a reader of the results has to know of where they were made */
  readonly facts: readonly (readonly [string, string])[];
}

/** Without these nothing can be measured. */
export const INDISPENSABLE = ['taskset', 'redis-server', 'wrk'];

/** Looks at what there is to measure with, and with what versions. */
export function inspectMachine(repositoryDir: string): Machine {
  const missing = new Set([...INDISPENSABLE, 'nginx'].filter((name) => !isInstalled(name)));
  if (!isResolvable('@fastify/static')) missing.add('@fastify/static');
  const { model = 'unknown', length: cores } = { ...cpus()[0], length: cpus().length };
  return {
    missing,
    facts: [
      ['Date', new Date().toISOString()],
      ['Commit', readCommit(repositoryDir)],
      ['Node', process.version],
      ['nginx', readVersion('nginx', ['-v'], /nginx\/(\S+)/)],
      ['Redis', readVersion('redis-server', ['--version'], /v=(\S+)/)],
      ['wrk', readVersion('wrk', ['-v'], /^wrk (?:debian\/)?(\S+)/)],
      ['Kernel', readVersion('uname', ['-sr'], /(.*)/)],
      ['Machine', `${cores} cores (${model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB`],
      ['Pinning', `server on core ${SERVER_CORE}; load, probes and Redis on core ${LOAD_CORE}`],
    ],
  };
}

function isInstalled(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function isResolvable(packageName: string): boolean {
  try {
    require.resolve(packageName);
    return true;
  } catch {
    return false;
  }
}

function readVersion(command: string, args: readonly string[], pattern: RegExp): string {
  const { stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  return error ? 'not installed' : (pattern.exec(`${stdout}${stderr}`)?.[1] ?? 'unknown');
}

function readCommit(repositoryDir: string): string {
  const git = (...args: string[]): string =>
    spawnSync('git', args, { cwd: repositoryDir, encoding: 'utf8' }).stdout.trim();
  const commit = git('rev-parse', '--short=12', 'HEAD');
  const isChanged = git('status', '--porcelain', '--untracked-files=no') !== '';
  return `${commit || 'unknown'}${isChanged ? ' with uncommitted changes' : ''}`;
}
