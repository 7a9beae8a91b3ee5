import { spawn, type ChildProcess } from 'node:child_process';
import { type Readable } from 'node:stream';
import { FfmpegFailed, type FfmpegFailure } from './failure';
import { createKillLadder } from './kill-ladder';
import { FFMPEG_ENVIRONMENT, type FfmpegProgram } from './program';

export interface FfmpegRun {
  /** as `formatArguments()` gives them */
  readonly args: readonly string[];
  /** descriptor of the open track; the program gets its own, so ours may be closed after the start */
  readonly trackDescriptor: number;
  /** ends the run; aborted before the start, nothing is started */
  readonly signal: AbortSignal;
  /** wall clock of the whole run */
  readonly mostMs: number;
  /** Takes the output in its order; the program waits while the promise is pending. */
  readonly onOutput: (chunk: Buffer) => Promise<void> | void;
}

/** Time limits of the ladder, shorter in tests. */
export interface FfmpegPatience {
  /** without a byte of output */
  readonly silenceMs: number;
  /** between TERM and KILL */
  readonly graceMs: number;
}

const PATIENCE: FfmpegPatience = { silenceMs: 10_000, graceMs: 2_000 };
const KEPT_STDERR_CHARACTERS = 4_000;
/** What stands in front of the program says so when there is no program; ffmpeg itself never does. */
const NOT_EXECUTED: readonly (number | null)[] = [126, 127];

/**
 * A read that fails in the middle it takes for the end, and leaves with code 0. What it says of it is
 * what the system says, for files of a disk or of a network.
 */
const READ_FAILED = new RegExp(
  '^\\S+: (?:Input/output error|Remote I/O error|Stale file handle|Connection timed out' +
    '|Transport endpoint is not connected|No such device|Host is down|No data available)$',
  'm',
);

/**
 * Runs ffmpeg to its end.
 *
 * @returns what it said on stderr, its last 4,000 characters, when it ended with code 0 and all
 *   output was taken
 * @throws FfmpegFailed otherwise, and only when no process of it is left
 */
export async function runFfmpeg(
  program: FfmpegProgram,
  run: FfmpegRun,
  patience: FfmpegPatience = PATIENCE,
): Promise<string> {
  if (run.signal.aborted) throw new FfmpegFailed('aborted', 0, 'before it was started');
  const child = start(program, run);
  const ladder = createKillLadder(child, patience.graceMs);
  const ended = endOf(child);
  const stderr = collectTail(child.stderr);
  const silence = createAlarm(patience.silenceMs, () => {
    ladder.end('silent');
  });
  const overtime = createAlarm(run.mostMs, () => {
    ladder.end('overtime');
  });
  const abort = (): void => {
    ladder.end('aborted');
  };
  run.signal.addEventListener('abort', abort, { once: true });

  const output = { bytes: 0 };
  try {
    overtime.start();
    silence.start();
    const taking = takeOutput(child.stdout, run, silence, output).catch((error: unknown) => {
      ladder.end('consumer', error);
    });
    // it may close its output and stay, or leave and its output stay open: both must end
    const [end] = await Promise.all([ended, Promise.race([taking, ladder.gone])]);
    if (end.error) {
      throw new FfmpegFailed('not-started', 0, end.error.message, { cause: end.error });
    }
    const { reason, cause } = ladder.verdict();
    if (reason) throw new FfmpegFailed(reason, output.bytes, stderr.text(), { cause });
    const said = stderr.text();
    if (READ_FAILED.test(said)) throw new FfmpegFailed('unreadable', output.bytes, said);
    if (end.code !== 0) {
      throw new FfmpegFailed(failureOf(end), output.bytes, `${end.how}: ${said}`);
    }
    return said;
  } finally {
    silence.stop();
    overtime.stop();
    ladder.stop();
    run.signal.removeEventListener('abort', abort);
    child.stdout?.destroy();
    child.stderr?.destroy();
  }
}

function start({ path, containment }: FfmpegProgram, run: FfmpegRun): ChildProcess {
  const [command = path, ...args] = [...containment, path, ...run.args];
  try {
    return spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe', run.trackDescriptor],
      // a group of its own: what it may have started ends with it, and Ctrl+C is ours to pass on
      detached: true,
      env: FFMPEG_ENVIRONMENT,
    });
  } catch (cause) {
    // some failures, of memory or of the descriptor, are told at once, others by an event
    throw new FfmpegFailed('not-started', 0, String(cause), { cause });
  }
}

interface ProcessEnd {
  readonly code: number | null;
  readonly how: string;
  readonly error?: Error;
}

function failureOf({ code }: ProcessEnd): FfmpegFailure {
  if (code === null) return 'killed';
  return NOT_EXECUTED.includes(code) ? 'not-started' : 'exit';
}

function endOf(child: ChildProcess): Promise<ProcessEnd> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ code: null, how: 'not started', error });
    });
    child.once('exit', (code, signal) => {
      resolve({ code, how: signal ?? `code ${code ?? 'unknown'}` });
    });
  });
}

async function takeOutput(
  stdout: Readable | null,
  { onOutput }: FfmpegRun,
  silence: Alarm,
  output: { bytes: number },
): Promise<void> {
  for await (const chunk of (stdout ?? []) as AsyncIterable<Buffer>) {
    output.bytes += chunk.length;
    const taken = onOutput(chunk);
    if (taken) {
      // the pause is ours, not its silence
      silence.pause();
      await taken;
    }
    silence.start();
  }
}

interface Alarm {
  /** from now, again if it was started before */
  start(): void;
  pause(): void;
  /** for good: whoever still waits for the consumer must not start it again */
  stop(): void;
}

function createAlarm(ms: number, ring: () => void): Alarm {
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const pause = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  return {
    start() {
      if (timer) timer.refresh();
      else if (!isStopped) timer = setTimeout(ring, ms);
    },
    pause,
    stop() {
      isStopped = true;
      pause();
    },
  };
}

/** Always read, or a program that says much would wait for us; only the end is kept. */
function collectTail(stderr: Readable | null): { text(): string } {
  let tail = '';
  stderr?.setEncoding('utf8');
  stderr?.on('data', (text: string) => {
    tail = (tail + text).slice(-KEPT_STDERR_CHARACTERS);
  });
  return { text: () => tail.trim() };
}
