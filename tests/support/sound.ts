import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What ffprobe says of a sound; the duration in seconds, undefined where it sees none. */
export interface SoundProbe {
  readonly codec: string;
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly durationSeconds: number | undefined;
}

/** @param input a file, or an address that takes `authorization` */
export async function probeSound(input: string, authorization?: string): Promise<SoundProbe> {
  const fields =
    authorization === undefined ? [] : ['-headers', `Authorization: ${authorization}\r\n`];
  const { stdout } = await run('ffprobe', [
    ...['-v', 'error', ...fields, '-select_streams', 'a:0', '-of', 'json'],
    ...['-show_entries', 'stream=codec_name,sample_rate,channels,duration:format=duration', input],
  ]);
  const { streams, format } = JSON.parse(stdout) as {
    readonly streams: readonly [Readonly<Record<string, string | number>>];
    readonly format: { readonly duration?: string };
  };
  const [stream] = streams;
  const duration = stream.duration ?? format.duration;
  return {
    codec: String(stream.codec_name),
    sampleRateHz: Number(stream.sample_rate),
    channels: Number(stream.channels),
    durationSeconds: duration === undefined ? undefined : Number(duration),
  };
}

/**
 * Decodes with the real ffmpeg.
 *
 * @param input a file, or the bytes of one
 * @param rateHz resampled to; undefined: the sound's own
 * @returns samples of all channels mixed to one
 */
export async function decodeSound(input: string | Buffer, rateHz?: number): Promise<Int16Array> {
  const child = spawn(
    'ffmpeg',
    [
      ...['-v', 'fatal', '-i', typeof input === 'string' ? input : 'pipe:0', '-map', '0:a:0'],
      ...(rateHz === undefined ? [] : ['-ar', String(rateHz)]),
      ...['-ac', '1', '-f', 's16le', 'pipe:1'],
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const closed = once(child, 'close');
  child.stdin.on('error', () => undefined); // it stops reading behind the last frame
  child.stdin.end(typeof input === 'string' ? undefined : input);
  const bytes = await buffer(child.stdout);
  await closed;
  return new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
}

/** Samples are compared over so many of them. */
const COMPARED_SAMPLES = 16_000;

/**
 * By how many samples `other` is late, at most `most` either way: where the two are most alike in the
 * middle of the shorter.
 */
export function lagOf(sound: Int16Array, other: Int16Array, most: number): number {
  const length = Math.min(sound.length, other.length);
  const first = Math.max(most, Math.floor((length - COMPARED_SAMPLES) / 2));
  const last = Math.min(first + COMPARED_SAMPLES, length - most);
  let best = { lag: 0, likeness: -Infinity };
  for (let lag = -most; lag <= most; lag += 1) {
    let likeness = 0;
    for (let at = first; at < last; at += 1) likeness += sound[at]! * other[at + lag]!;
    if (likeness > best.likeness) best = { lag, likeness };
  }
  return best.lag;
}

/** The samples in which two sounds differ, those that one has more included. */
export function lossOf(sound: Int16Array, other: Int16Array): number {
  let same = 0;
  for (let at = 0; at < sound.length; at += 1) if (sound[at] === other[at]) same += 1;
  return Math.max(sound.length, other.length) - same;
}
