import { formatArguments, type FfmpegCommand } from './ffmpeg/command';
import { FfmpegFailed } from './ffmpeg/failure';
import { runFfmpeg } from './ffmpeg/process';
import { findFfmpeg, type FfmpegProgram } from './ffmpeg/program';

export { FfmpegFailed };
export type { FfmpegCommand };

/** A command and the track it is for. */
export interface FfmpegJob extends FfmpegCommand {
  /** of the open track; it may be closed when the run has ended */
  readonly trackDescriptor: number;
  /** of the track, which bounds how long a run can take; null where it is not known */
  readonly durationSeconds: number | null;
}

/** The one way to ffmpeg. */
export interface Ffmpeg {
  /** as the program names itself; part of the key of whatever it makes */
  readonly version: string;
  readonly encoders: ReadonlySet<string>;
  /**
   * Runs ffmpeg to its end. Only its exit code 0 makes the output whole, never the end of a pipe.
   *
   * @param onOutput takes the output in its order; the program waits while the promise is pending
   * @returns the end of what it said on stderr
   * @throws FfmpegFailed when there is no whole output, and no process is left
   */
  run(
    job: FfmpegJob,
    onOutput: (chunk: Buffer) => Promise<void> | void,
    signal: AbortSignal,
  ): Promise<string>;
}

const SHORTEST_LIMIT_MS = 300_000;

/** @returns undefined where no ffmpeg is installed */
export async function openFfmpeg(configured: string | undefined): Promise<Ffmpeg | undefined> {
  const program = await findFfmpeg(configured);
  return program && createFfmpeg(program);
}

function createFfmpeg(program: FfmpegProgram): Ffmpeg {
  return {
    version: program.version,
    encoders: program.encoders,
    run: (job, onOutput, signal) =>
      runFfmpeg(program, {
        args: formatArguments(job),
        trackDescriptor: job.trackDescriptor,
        // slower than a third of playing is not worth waiting for
        mostMs: Math.max(SHORTEST_LIMIT_MS, (job.durationSeconds ?? 0) * 3_000),
        onOutput,
        signal,
      }),
  };
}
