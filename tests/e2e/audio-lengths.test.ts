import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FLAC_HEAD_BYTES, patchFlacStreamInfo } from '../../src/audio/flac-stream-info';
import { fragmentedHeadBytes, patchFragmentedHead } from '../../src/audio/fragmented-mp4-head';
import { formatInfoFrame } from '../../src/audio/mp3-info-frame';
import { frameOffset, planMp3, type Mp3Layout } from '../../src/audio/mp3-layout';
import { mp3BitRates } from '../../src/audio/mpeg-frame';
import { OPUS_SAMPLE_RATE_HZ, planOggOpus } from '../../src/audio/ogg-opus-layout';
import { forcedSamplesFilter, mp3SampleRate, resampledCount } from '../../src/audio/sample-count';
import { formatWavHeader, planWav } from '../../src/audio/wav-layout';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

/** Other versions are tried by naming one; 5.1 passes, 4.1 gave the same sizes. */
const FFMPEG = process.env.FFMPEG_PATH ?? 'ffmpeg';

const SOURCE_RATES_HZ = [
  8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 37_800, 44_100, 48_000, 88_200, 96_000,
  176_400, 192_000,
];

/**
 * ffmpeg's decoders can't drop more than one packet of an end: what is shorter than one decodes to a
 * few hundred samples too many (47 samples of MP3 in 5.1, 312 of Opus in 4.1).
 */
const LEAST_SECONDS = 0.02;

const QUIET = ['-v', 'error', '-nostdin', '-y'];
const NO_TAGS = ['-map_metadata', '-1', '-fflags', '+bitexact', '-flags:a', '+bitexact'];

/** One output of an ffmpeg that has many. */
interface Case {
  readonly name: string;
  readonly format: 'mp3' | 'wav' | 'ogg';
  /** samples of the source that there really are */
  readonly there: number;
  readonly args: readonly string[];
  /** bytes that the program is to write after `header` */
  readonly bytes: number;
  readonly header: Buffer;
  /** what decoding gives, per channel */
  readonly decoded: number;
  readonly channels: number;
  readonly layout?: Mp3Layout;
}

interface Source {
  readonly rateHz: number;
  readonly channels: number;
}

const folder = createTempFolder();

afterAll(removeTempFolders);

describe('lengths known before encoding', () => {
  it('are those that ffmpeg produces, and decode to the samples of the source', async () => {
    const random = createRandom(4);
    const wrong: string[] = [];
    let mp3s = 0;
    for (let round = 0; round < 36; round++) {
      const source = {
        rateHz: SOURCE_RATES_HZ[round % SOURCE_RATES_HZ.length]!,
        channels: pick(random, [1, 2, 2, 6]),
      };
      const cases = [
        ...Array.from({ length: 15 }, () => mp3Case(random, source)),
        ...Array.from({ length: 2 }, () => wavCase(random, source)),
        ...Array.from({ length: 3 }, () => opusCase(random, source)),
      ];
      mp3s += 15;
      wrong.push(...(await produce(random, source, cases)));
    }
    expect(wrong).toEqual([]);
    expect(mp3s).toBeGreaterThanOrEqual(500);
    // 36 s of one core; machines that are shared take a multiple
  }, 600_000);
});

describe('durations of formats whose length is not known', () => {
  const cases = Array.from({ length: 6 }, (_, index) => 15_013 + index * 20_011);

  it.each(cases)('a FLAC of %i samples says so in its first bytes', async (samples) => {
    const flac = await encodeSine(samples, ['-c:a', 'flac', '-f', 'flac']);
    const head = patchFlacStreamInfo(flac.subarray(0, FLAC_HEAD_BYTES), samples)!;
    const patched = Buffer.concat([head, flac.subarray(FLAC_HEAD_BYTES)]);
    expect(await probeDuration(patched.subarray(0, 9000))).toBeCloseTo(samples / 44_100, 4);
    expect(await decodedSamples(patched)).toBe(samples);
  });

  it.each(cases)('an AAC of %i samples says so in its first bytes', async (samples) => {
    const flags = '+empty_moov+default_base_moof+delay_moov+skip_trailer';
    const fragments = ['-movflags', flags, '-frag_duration', '250000'];
    const mp4 = await encodeSine(samples, [
      '-c:a',
      'aac',
      '-b:a',
      '128k',
      ...fragments,
      '-f',
      'mp4',
    ]);
    const headBytes = fragmentedHeadBytes(mp4)!;
    const head = patchFragmentedHead(mp4.subarray(0, headBytes), { samples, sampleRateHz: 44_100 });
    const patched = Buffer.concat([head, mp4.subarray(headBytes)]);
    expect(await probeDuration(patched.subarray(0, 6000))).toBeCloseTo(samples / 44_100, 4);
    expect(await decodedSamples(patched)).toBe(Math.ceil(samples / 1024) * 1024);
  });
});

function mp3Case(random: () => number, source: Source): Case {
  const sampleRateHz = mp3SampleRate(source.rateHz);
  const channels = pick(random, [1, 2] as const);
  const bitRateKbps = pick(random, mp3BitRates(sampleRateHz));
  const { there, claimed } = drawSamples(random, source);
  const samples = resampledCount(claimed, source.rateHz, sampleRateHz);
  const layout = planMp3({ sampleRateHz, channels, bitRateKbps }, samples);
  return {
    format: 'mp3',
    name: `mp3 ${bitRateKbps}k of ${claimed} at ${source.rateHz} to ${sampleRateHz}/${channels}`,
    there,
    args: [
      ...['-af', forced(there, { samples, sampleRateHz, channels })],
      ...['-c:a', 'libmp3lame', '-b:a', `${bitRateKbps}k`, '-reservoir', '0', '-write_xing', '0'],
      ...['-id3v2_version', '0', '-f', 'mp3'],
    ],
    header: formatInfoFrame(layout),
    bytes: layout.lengthBytes - layout.headerBytes,
    decoded: samples,
    channels,
    layout,
  };
}

function wavCase(random: () => number, source: Source): Case {
  const channels = pick(random, [1, 2] as const);
  const bitsPerSample = pick(random, [16, 24] as const);
  const { there, claimed } = drawSamples(random, source);
  const layout = planWav({ sampleRateHz: source.rateHz, channels, bitsPerSample }, claimed);
  if (layout.kind !== 'wav') throw new Error('too large');
  const codec = bitsPerSample === 16 ? 's16le' : 's24le';
  return {
    format: 'wav',
    name: `wav ${codec} of ${claimed} at ${source.rateHz}/${channels}`,
    there,
    args: ['-af', forced(there, layout), '-c:a', `pcm_${codec}`, '-f', codec],
    header: formatWavHeader(layout),
    bytes: layout.lengthBytes - layout.headerBytes,
    decoded: layout.samples,
    channels,
  };
}

function opusCase(random: () => number, source: Source): Case {
  const channels = pick(random, [1, 2] as const);
  const bitRateKbps = pick(random, [6, 16, 32, 64, 96, 128, 192, 256]);
  const { there, claimed } = drawSamples(random, source);
  const sampleRateHz = OPUS_SAMPLE_RATE_HZ;
  const samples = resampledCount(claimed, source.rateHz, sampleRateHz);
  return {
    format: 'ogg',
    name: `opus ${bitRateKbps}k of ${claimed} at ${source.rateHz}/${channels}`,
    there,
    args: [
      ...['-af', forced(there, { samples, sampleRateHz, channels })],
      ...['-c:a', 'libopus', '-vbr', 'off', '-b:a', `${bitRateKbps}k`, '-frame_duration', '20'],
      ...['-application', 'audio', ...NO_TAGS, '-page_duration', '1000000', '-f', 'ogg'],
    ],
    header: Buffer.alloc(0),
    bytes: planOggOpus({ channels, bitRateKbps }, samples).lengthBytes,
    decoded: samples,
    channels,
  };
}

/** A source has what it has; its own header may claim something else, and what it claims is promised. */
function drawSamples(random: () => number, source: Source): { there: number; claimed: number } {
  const seconds = 0.05 + 2.95 * random() ** 3;
  const there = Math.round(seconds * source.rateHz);
  const error = random() < 0.25 ? Math.round((random() - 0.5) * 4000) : 0;
  return { there, claimed: Math.max(Math.ceil(LEAST_SECONDS * source.rateHz), there + error) };
}

function forced(there: number, form: Parameters<typeof forcedSamplesFilter>[0]): string {
  return `atrim=end_sample=${there},${forcedSamplesFilter(form)}`;
}

/** Makes all outputs in one ffmpeg, decodes them in a second one, and says what is not as planned. */
async function produce(
  random: () => number,
  source: Source,
  cases: readonly Case[],
): Promise<string[]> {
  const most = Math.max(...cases.map((one) => one.there));
  const input = ['-f', 's16le', '-ar', String(source.rateHz), '-ac', String(source.channels)];
  const file = (index: number): string => join(folder, String(index));
  await ffmpeg(
    [...input, '-i', 'pipe:0', ...cases.flatMap(({ args }, index) => [...args, file(index)])],
    noise(random, most * source.channels),
  );
  const wrong: string[] = [];
  for (const [index, { name, header, bytes, layout }] of cases.entries()) {
    const produced = Buffer.concat([header, await readFile(file(index))]);
    if (produced.length !== header.length + bytes) {
      wrong.push(`${name}: ${produced.length} bytes, not ${header.length + bytes}`);
    } else if (layout !== undefined && !hasFramesAsPlanned(produced, layout)) {
      wrong.push(`${name}: no frame where one was expected`);
    }
    await writeFile(file(index), produced);
  }
  const sources = cases.flatMap(({ format }, index) => ['-f', format, '-i', file(index)]);
  const decode = (index: number): string[] => ['-map', String(index), '-f', 's16le'];
  await ffmpeg([
    ...sources,
    ...cases.flatMap((_, index) => [...decode(index), `${file(index)}.pcm`]),
  ]);
  for (const [index, { name, decoded, channels }] of cases.entries()) {
    const samples = (await readFile(`${file(index)}.pcm`)).length / 2 / channels;
    if (samples !== decoded) wrong.push(`${name}: decodes to ${samples}, not ${decoded}`);
  }
  return wrong;
}

function hasFramesAsPlanned(file: Buffer, layout: Mp3Layout): boolean {
  // sync, version, layer and bit rate are those of the first frame everywhere
  const first = file.readUInt32BE(layout.headerBytes) & 0xffff_f000;
  return Array.from({ length: layout.frameCount }, (_, frame) => frameOffset(layout, frame)).every(
    (offset) => (file.readUInt32BE(offset) & 0xffff_f000) === first,
  );
}

async function encodeSine(samples: number, args: readonly string[]): Promise<Buffer> {
  const form = { samples, sampleRateHz: 44_100, channels: 2 } as const;
  const input = ['-f', 'lavfi', '-i', 'sine=440:r=44100:d=4', '-af', forcedSamplesFilter(form)];
  return ffmpeg([...input, ...NO_TAGS, ...args, 'pipe:1']);
}

async function decodedSamples(file: Buffer): Promise<number> {
  const pcm = await ffmpeg(
    ['-i', 'pipe:0', '-ac', '1', '-c:a', 'pcm_s16le', '-f', 's16le', 'pipe:1'],
    file,
  );
  return pcm.length / 2;
}

/** The duration that a player sees who has the beginning and can't look at the end. */
async function probeDuration(beginning: Buffer): Promise<number> {
  const args = ['-v', 'quiet', '-show_entries', 'format=duration', '-of', 'csv=p=0', '-'];
  const child = promisify(execFile)('ffprobe', args);
  child.child.stdin?.on('error', () => undefined).end(beginning);
  return Number((await child).stdout);
}

async function ffmpeg(args: readonly string[], input?: Buffer): Promise<Buffer> {
  const child = spawn(FFMPEG, [...QUIET, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  // it stops reading when every output has what it needs
  child.stdin.on('error', () => undefined).end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`ffmpeg ended with ${String(code)}: ${said.slice(0, 500)}`);
  return Buffer.concat(chunks);
}

/** Loud noise in some places and silence in others: hard for encoders that would vary a rate. */
function noise(random: () => number, values: number): Buffer {
  const pcm = Buffer.alloc(values * 2);
  for (let at = 0; at < values; at++) {
    if (at % 40_000 < 30_000) pcm.writeInt16LE(Math.floor((random() - 0.5) * 40_000), at * 2);
  }
  return pcm;
}

function pick<T>(random: () => number, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)]!;
}

/** mulberry32: the same cases in every run, so a failure is found again. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
