import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Readable } from 'node:stream';
import { TEST_SECRET } from './sign-token';
import { createTempFolder } from './temp-folder';
import { until } from './until';

const ENTRY = join(__dirname, '../../dist/index.js');
/** Half a second on an idle machine; where eight programs want each core it was 12 s with two workers. */
const START_MS = 45_000;

export type LogLine = Readonly<Record<string, unknown>>;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The built service in a process of its own. */
export interface ServiceProcess {
  readonly pid: number;
  readonly port: number;
  /** lines of standard output so far, parsed */
  readonly log: readonly LogLine[];
  /** standard error so far */
  readonly stderr: string;
  /** settles when the process is over and its output has been read */
  readonly exit: Promise<Exit>;
  signal(name: NodeJS.Signals): void;
  /** Reads no more of its standard output. @returns reads on */
  stopReading(): () => void;
  /** the channel to a script that was loaded before the service */
  readonly channel: Pick<ChildProcess, 'send' | 'on' | 'off'>;
  /** Resolves with the first line, past or to come, that is wanted. */
  logged(wanted: string | ((line: LogLine) => boolean), timeoutMs?: number): Promise<LogLine>;
}

export interface StartOptions {
  /** working folder; an empty one unless told, so that no `.env` is read */
  readonly cwd?: string;
  /** a script to load before the service, with a channel to talk to it */
  readonly preload?: string;
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

const running = new Set<Child>();

/** Starts the service and waits until it listens; `env` is all of its environment but these. */
export async function startService(
  env: Readonly<Record<string, string>>,
  options: StartOptions = {},
): Promise<ServiceProcess> {
  const child = spawnService(
    {
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_FORMAT: 'json',
      JWT_SECRET: TEST_SECRET,
      REDIS_URL: '',
      // CI runs all suites both ways
      ...(process.env.FAST_LANE ? { FAST_LANE: process.env.FAST_LANE } : {}),
      ...env,
    },
    options,
  );
  const log: LogLine[] = [];
  const stderr = collectText(child.stderr);
  onLines(child.stdout, (line) => {
    log.push(parseLine(line));
  });
  const exit = exitOf(child);
  const find = (wanted: (line: LogLine) => boolean): LogLine | undefined => log.find(wanted);

  const isListening = ({ message }: LogLine): boolean => message === 'listening';
  const listens = until(() => find(isListening) !== undefined, 'the service listens', START_MS);
  await Promise.race([listens, exit]);
  const address = find(isListening);
  if (!address) {
    throw new Error(`the service did not start: ${JSON.stringify(log)} ${stderr.text}`);
  }

  return {
    pid: child.pid!,
    port: Number(address.port),
    log,
    get stderr() {
      return stderr.text;
    },
    exit,
    channel: child,
    signal(name) {
      child.kill(name);
    },
    stopReading() {
      child.stdout.pause();
      return () => {
        child.stdout.resume();
      };
    },
    async logged(wanted, timeoutMs) {
      const matches =
        typeof wanted === 'string' ? (line: LogLine) => line.message === wanted : wanted;
      await until(() => find(matches) !== undefined, `a log line: ${String(wanted)}`, timeoutMs);
      return find(matches)!;
    },
  };
}

export interface Run extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the service with just this environment until it ends by itself. */
export async function runService(
  env: Readonly<Record<string, string>>,
  options: StartOptions = {},
): Promise<Run> {
  const child = spawnService(env, options);
  const stdout = collectText(child.stdout);
  const stderr = collectText(child.stderr);
  const exit = await exitOf(child);
  return { ...exit, stdout: stdout.text, stderr: stderr.text };
}

/** @returns the file of a script that is loaded before the service's own code */
export function writePreload(script: string): string {
  const file = join(createTempFolder(), 'preload.cjs');
  writeFileSync(file, script);
  return file;
}

/** Ends whatever this test file has started and is still there. */
export async function stopServices(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    }),
  );
}

/** Resident memory of a process in bytes; Linux only. */
export function readResidentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kilobytes) * 1024;
}

/** Open descriptors of a process; Linux only. */
export function countDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function spawnService(
  env: Readonly<Record<string, string>>,
  { cwd, preload }: StartOptions,
): Child {
  if (!existsSync(ENTRY)) {
    throw new Error(
      'dist/index.js is missing: these suites test the built service, run npm run build',
    );
  }
  const isPreloaded = preload !== undefined;
  const child = spawn(process.execPath, [...(isPreloaded ? ['--require', preload] : []), ENTRY], {
    cwd: cwd ?? createTempFolder(),
    env,
    stdio: ['ignore', 'pipe', 'pipe', ...(isPreloaded ? (['ipc'] as const) : [])],
  }) as Child; // its outputs are pipes, as told
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

async function exitOf(child: Child): Promise<Exit> {
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal };
}

/** Its own words where it is no JSON: then a test on the log says what came instead. */
function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { notJson: line };
  }
}

function onLines(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    lines.forEach(take);
  });
}

function collectText(stream: Readable): { readonly text: string } {
  const collected = { text: '' };
  stream.setEncoding('utf8').on('data', (text: string) => (collected.text += text));
  return collected;
}
