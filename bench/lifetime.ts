import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { listProcessTree } from './process-usage';

export interface StartOptions {
  readonly core: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** takes standard output; standard error goes to the same name with `.err` */
  readonly outputFile: string;
}

export interface StartedProcess {
  readonly pid: number;
  hasExited(): boolean;
  /** Ends it and its descendants, politely at first. */
  stop(): Promise<void>;
}

/** Owns every process and folder of a run; nothing outlives `close()`. */
export interface Lifetime {
  createTempFolder(): string;
  start(options: StartOptions): Promise<StartedProcess>;
  close(): Promise<void>;
}

/** Some drain for longer; what they hold is worth no wait. */
const STOP_GRACE_MS = 2_000;

export function createLifetime(): Lifetime {
  const folders = new Set<string>();
  const running = new Set<StartedProcess>();
  let isClosing = false;

  return {
    createTempFolder() {
      const folder = mkdtempSync(join(realpathSync(tmpdir()), 'tuneton-bench-'));
      folders.add(folder);
      return folder;
    },

    async start(options) {
      // who is interrupted goes on for a moment, and must leave nobody behind
      if (isClosing) throw new Error('the run is over');
      const child = await spawnPinned(options);
      const started: StartedProcess = {
        pid: child.pid ?? 0,
        hasExited: () => child.exitCode !== null || child.signalCode !== null,
        async stop() {
          running.delete(started);
          await stopTree(child);
        },
      };
      running.add(started);
      return started;
    },

    async close() {
      isClosing = true;
      await Promise.all([...running].map((each) => each.stop()));
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
      folders.clear();
    },
  };
}

async function spawnPinned(options: StartOptions): Promise<ChildProcess> {
  const { core, command, args, env, cwd, outputFile } = options;
  const out = openSync(outputFile, 'a');
  const err = openSync(`${outputFile}.err`, 'a');
  try {
    const child = spawn('taskset', ['-c', `${core}`, command, ...args], {
      stdio: ['ignore', out, err],
      ...(env && { env }),
      ...(cwd !== undefined && { cwd }),
    });
    await once(child, 'spawn');
    return child;
  } finally {
    closeSync(out);
    closeSync(err);
  }
}

async function stopTree(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  // seen before the first signal: who loses its parent is no longer found below it
  const tree = listProcessTree(child.pid);
  child.kill('SIGTERM');
  await Promise.race([exited, delay(STOP_GRACE_MS, undefined, { ref: false })]);
  for (const pid of tree) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // gone already, which is what was wanted
    }
  }
  await exited;
}
