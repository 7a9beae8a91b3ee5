import { execFile, spawnSync } from 'node:child_process';

export interface ClientRun {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;
/** Ends a client that hangs; where eight programs want each core one that is well takes 10 s. */
const TIMEOUT_MS = 50_000;

/** Runs a real client to its end, however it ends; a client that hangs is killed and fails. */
export function runClient(program: string, args: readonly string[]): Promise<ClientRun> {
  return new Promise((resolve, reject) => {
    const options = {
      encoding: 'buffer',
      maxBuffer: MAX_OUTPUT_BYTES,
      timeout: TIMEOUT_MS,
    } as const;
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') {
        reject(new Error(`${program} did not end by itself`, { cause: error }));
      } else {
        resolve({ code: Number(error?.code ?? 0), stdout, stderr: stderr.toString() });
      }
    });
  });
}

/** `it`, skipped where a program is not installed; in CI that is a failure instead. */
export function itWith(...programs: readonly string[]): typeof it {
  const isMissing = programs.some((program) => !isInstalled(program));
  return isMissing && process.env.CI === undefined ? it.skip : it;
}

function isInstalled(program: string): boolean {
  return spawnSync(program, ['-version'], { stdio: 'ignore' }).error === undefined;
}
