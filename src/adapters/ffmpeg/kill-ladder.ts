import { type ChildProcess } from 'node:child_process';
import { type FfmpegFailure } from './failure';

/** TERM, which a stopped or stuck program may not heed, then KILL, which none survives. */
export interface KillLadder {
  /** the first reason counts */
  end(reason: FfmpegFailure, cause?: unknown): void;
  verdict(): { readonly reason?: FfmpegFailure; readonly cause?: unknown };
  /** settles when no output is to be waited for any more */
  readonly gone: Promise<void>;
  stop(): void;
}

/**
 * For a program with a process group of its own.
 *
 * @param graceMs between TERM and KILL
 */
export function createKillLadder(child: ChildProcess, graceMs: number): KillLadder {
  let verdict: ReturnType<KillLadder['verdict']> = {};
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let markGone: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => (markGone = resolve));
  const kill = (signal: 'SIGTERM' | 'SIGKILL'): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // it ended by itself, in this moment
    }
  };
  // whatever it started must not outlive it, nor hold its output open
  child.once('exit', () => {
    kill('SIGKILL');
    if (verdict.reason) markGone();
  });
  child.once('error', () => {
    if (child.pid === undefined) markGone();
  });
  return {
    gone,
    end(reason, cause) {
      if (isOver || verdict.reason) return;
      verdict = { reason, cause };
      if (child.exitCode !== null || child.signalCode !== null) {
        // its number may be another's by now
        markGone();
        return;
      }
      kill('SIGTERM');
      timer = setTimeout(() => {
        kill('SIGKILL');
        markGone();
      }, graceMs);
    },
    verdict: () => verdict,
    stop() {
      isOver = true;
      clearTimeout(timer);
    },
  };
}
