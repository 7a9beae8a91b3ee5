import { execFile } from 'node:child_process';
import { createReadStream, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { promisify } from 'node:util';
import { type AudioFormat } from '../../src/services/audio-format';
import { type SelectedTrack } from '../../src/services/track-source';

const run = promisify(execFile);

/** A tone that comes and goes in noise, so that variable bit rates vary. */
const SOURCE = 'aevalsrc=0.4*sin(2*PI*440*t)+0.2*random(0)*lt(mod(t\\,2)\\,1)|0.3*sin(2*PI*220*t)';

/** Encodes some seconds of synthesised stereo sound with the real ffmpeg. */
export async function encode(
  file: string,
  seconds: number,
  args: readonly string[],
): Promise<void> {
  const input = ['-f', 'lavfi', '-i', `${SOURCE}:s=44100:d=${seconds}`];
  await ffmpeg([...input, ...args, file]);
}

export async function ffmpeg(args: readonly string[]): Promise<void> {
  await run('ffmpeg', ['-loglevel', 'error', '-y', ...args]);
}

export interface Probe {
  readonly streams: readonly Readonly<Record<string, string | number | undefined>>[];
  readonly format: {
    readonly duration?: string;
    readonly bit_rate?: string;
    readonly tags?: Readonly<Record<string, string>>;
  };
}

export async function ffprobe(file: string): Promise<Probe> {
  const args = ['-v', 'error', '-show_format', '-show_streams', '-of', 'json', file];
  const { stdout } = await run('ffprobe', args);
  return JSON.parse(stdout) as Probe;
}

/** A real file, selected; counts what is read of it. */
export function selectFile(
  folder: string,
  name: string,
  format: AudioFormat,
): { readonly selected: SelectedTrack; readonly usage: { readBytes: number; openReads: number } } {
  const file = join(folder, name);
  const usage = { readBytes: 0, openReads: 0 };
  const { size, mtimeNs } = statSync(file, { bigint: true });
  const selected: SelectedTrack = {
    id: basename(name, extname(name)),
    format,
    entityTag: `"${size.toString(16)}-${mtimeNs.toString(16)}"`,
    track: {
      fileName: name,
      extension: extname(name).slice(1),
      sizeBytes: Number(size),
      mtimeNs,
      read({ firstPos, lastPos }, signal) {
        usage.readBytes += lastPos - firstPos + 1;
        usage.openReads += 1;
        const options = { start: firstPos, end: lastPos, ...(signal ? { signal } : {}) };
        return createReadStream(file, options).once('close', () => {
          usage.openReads -= 1;
        });
      },
      close: () => Promise.resolve(),
    },
  };
  return { selected, usage };
}
