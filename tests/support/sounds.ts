import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;
const TIMEOUT_MS = 60_000;

/** A sweep, a tone that comes and goes, and noise: what is shifted, lost or doubled shows itself. */
export const SWEEPS =
  'aevalsrc=0.3*sin(2*PI*(200*t+30*t*t))+0.02*random(0)' +
  '|0.2*sin(2*PI*(300*t+20*t*t))+0.2*sin(2*PI*3000*t)*gt(mod(t\\,0.5)\\,0.25)';

/** What ffmpeg writes to its standard output. */
export async function outputOf(args: readonly string[]): Promise<Buffer> {
  const { stdout } = await run('ffmpeg', ['-nostdin', '-v', 'error', ...args], {
    encoding: 'buffer',
    maxBuffer: MAX_OUTPUT_BYTES,
    timeout: TIMEOUT_MS,
  });
  return stdout;
}

/**
 * All samples of an input, as two channels interleaved.
 *
 * @param input a file or an address
 * @param inputOptions for what is in front of it
 */
export async function decode(
  input: string,
  sampleRateHz: number,
  inputOptions: readonly string[] = [],
): Promise<Float32Array> {
  const output = ['-map', '0:a:0', '-ar', String(sampleRateHz), '-ac', '2', '-f', 'f32le'];
  const bytes = await outputOf([...inputOptions, '-i', input, ...output, 'pipe:1']);
  return new Float32Array(new Uint8Array(bytes).buffer);
}

/** Power of the difference over that of the source, in dB; positions are samples per channel. */
export function errorDb(
  source: Float32Array,
  other: Float32Array,
  { from, to }: { readonly from: number; readonly to: number },
): number {
  const end = 2 * Math.min(to, source.length / 2, other.length / 2);
  let error = 0;
  let power = 0;
  for (let i = 2 * from; i < end; i += 1) {
    error += (other[i]! - source[i]!) ** 2;
    power += source[i]! ** 2;
  }
  return 10 * Math.log10(error / power);
}
