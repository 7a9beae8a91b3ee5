import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { ffmpeg } from '../support/audio-files';
import { parseJson, send, type Answer } from '../support/http-client';
import { startService, stopServices, type ServiceProcess } from '../support/service-process';
import { bearer } from '../support/sign-token';
import { decodeSound, lagOf, lossOf, probeSound } from '../support/sound';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

interface Source {
  readonly name: string;
  readonly extension: string;
  readonly args: readonly string[];
  readonly isLossless?: true;
  readonly hasCover?: true;
  /** of the sound that is encoded; 44.1 kHz in stereo unless told */
  readonly rateHz?: number;
  readonly channels?: number;
  /** samples of one frame, where that is more than the 1152 of MP3 */
  readonly frame?: number;
}

const SOURCES: readonly Source[] = [
  { name: 'mp3-cbr', extension: 'mp3', args: ['-c:a', 'libmp3lame', '-b:a', '128k'] },
  { name: 'mp3-vbr', extension: 'mp3', args: ['-c:a', 'libmp3lame', '-q:a', '4'] },
  { name: 'mp3-cbr-bare', extension: 'mp3', args: ['-c:a', 'libmp3lame', '-write_xing', '0'] },
  { name: 'mp3-vbr-bare', extension: 'mp3', args: ['-q:a', '4', '-write_xing', '0'] },
  { name: 'mp3-cover', extension: 'mp3', args: ['-b:a', '192k'], hasCover: true },
  { name: 'mp3-mono-low', extension: 'mp3', args: ['-b:a', '32k'], rateHz: 22_050, channels: 1 },
  { name: 'flac-16', extension: 'flac', args: ['-sample_fmt', 's16'], isLossless: true },
  {
    name: 'flac-24',
    extension: 'flac',
    args: ['-sample_fmt', 's32', '-bits_per_raw_sample', '24'],
    rateHz: 96_000,
    isLossless: true,
  },
  { name: 'm4a-aac', extension: 'm4a', args: ['-c:a', 'aac', '-b:a', '128k'] },
  {
    name: 'm4a-alac',
    extension: 'm4a',
    args: ['-c:a', 'alac', '-sample_fmt', 's16p'],
    isLossless: true,
  },
  { name: 'opus', extension: 'opus', args: ['-c:a', 'libopus'], rateHz: 48_000 },
  { name: 'vorbis', extension: 'ogg', args: ['-c:a', 'libvorbis'] },
  { name: 'wav-8', extension: 'wav', args: ['-c:a', 'pcm_u8'], isLossless: true },
  { name: 'wav-16', extension: 'wav', args: [], isLossless: true },
  { name: 'wav-24', extension: 'wav', args: ['-c:a', 'pcm_s24le'], isLossless: true },
  { name: 'wav-surround', extension: 'wav', args: [], channels: 6, isLossless: true },
  { name: 'webm', extension: 'webm', args: ['-c:a', 'libopus'], rateHz: 48_000 },
  { name: 'aac-adts', extension: 'aac', args: ['-c:a', 'aac'] },
  { name: 'aiff', extension: 'aiff', args: [], isLossless: true },
  { name: 'wma', extension: 'wma', args: ['-c:a', 'wmav2'], frame: 2048 },
];

/** `spareSeconds`: what its header may say too much, the delay and padding of MP3 frames. */
const OUTPUTS = [
  { format: 'mp3', codec: /^mp3$/, isLossless: false, spareSeconds: 0.053 },
  { format: 'aac', codec: /^aac$/, isLossless: false, spareSeconds: 0.001 },
  { format: 'opus', codec: /^opus$/, isLossless: false, spareSeconds: 0.008 },
  { format: 'flac', codec: /^flac$/, isLossless: true, spareSeconds: 0.001 },
  { format: 'wav', codec: /^pcm_s(?:16|24)le$/, isLossless: true, spareSeconds: 0.001 },
] as const;

const SECONDS = 1.7183;
const COMPARED_HZ = 48_000;
const MOST_LAG = 200;
const AUTHORIZATION = bearer();

let service: ServiceProcess;
const library = createTempFolder();
const results = createTempFolder();

beforeAll(async () => {
  await makeSources();
  service = await startService({
    AUDIO_FILES_DIR: library,
    CACHE_DIR: createTempFolder(),
    RATE_LIMIT_MAX: '100000',
    PATH: process.env.PATH ?? '',
  });
}, 60_000);

afterAll(async () => {
  await stopServices();
  removeTempFolders();
});

/** All by one ffmpeg, which takes longer to start than to encode one. */
async function makeSources(): Promise<void> {
  const sounds = [...new Set(SOURCES.map(noiseOf))];
  const inputs = [...sounds, 'color=red:s=640x640:d=0.04'];
  const outputs = SOURCES.map((source) => {
    const sound = ['-map', `${sounds.indexOf(noiseOf(source))}:a`, ...source.args];
    const cover = ['-map', `${sounds.length}:v`, '-c:v', 'png', '-id3v2_version', '3'];
    return [...sound, ...(source.hasCover ? cover : []), fileOf(source)];
  });
  await ffmpeg([...inputs.flatMap((input) => ['-f', 'lavfi', '-i', input]), ...outputs.flat()]);
}

/** Noise that swells: no two places of it are alike. */
function noiseOf({ rateHz = 44_100, channels = 2 }: Source): string {
  const layout = { 1: 'mono', 2: 'stereo', 6: '5.1' }[channels]!;
  const noise = Array.from({ length: channels }, (_, i) => `0.3*random(${i})*t`).join('|');
  return `aevalsrc=${noise}:s=${rateHz}:d=${SECONDS}:c=${layout},lowpass=3000`;
}

function fileOf({ name, extension }: Source): string {
  return join(library, `${name}.${extension}`);
}

function urlOf({ name }: Source, query: string): string {
  return `http://127.0.0.1:${service.port}/api/stream/${name}?${query}`;
}

function get({ name }: Source, query: string): Promise<Answer> {
  const init = { headers: { authorization: AUTHORIZATION } };
  return send(service.port, `/api/stream/${name}?${query}`, init);
}

/** Mixed to one channel, and at one rate, so that all can be compared. */
async function decode(file: string): Promise<Int16Array> {
  return decodeSound(file, COMPARED_HZ);
}

async function transcode(source: Source, query: string, extension: string): Promise<string> {
  const answer = await get(source, query);
  expect(answer.status).toBe(200);
  const file = join(results, `${source.name}.${extension}`);
  writeFileSync(file, answer.content);
  return file;
}

describe.each(SOURCES)('$name', (source) => {
  const { isLossless = false, rateHz = 44_100, channels = 2, frame = 1152 } = source;
  let original: Int16Array;

  beforeAll(async () => {
    original = await decode(fileOf(source));
  });

  const outputs = OUTPUTS.filter((output) => isLossless || !output.isLossless);

  it.each(outputs)('plays as $format as it is', async ({ format, codec, ...output }) => {
    const probed = await probeSound(urlOf(source, `format=${format}`), AUTHORIZATION);
    expect(probed).toMatchObject({
      codec: expect.stringMatching(codec) as string,
      channels: Math.min(channels, 2),
    });
    const seconds = original.length / COMPARED_HZ;
    const { durationSeconds = seconds } = probed; // an Ogg says it in its last page
    expect(Math.abs(durationSeconds - seconds)).toBeLessThan(output.spareSeconds + frame / rateHz);

    const played = await decode(await transcode(source, `format=${format}`, format));
    const spareSamples = (frame * COMPARED_HZ) / Math.min(rateHz, COMPARED_HZ);
    expect(Math.abs(played.length - original.length)).toBeLessThanOrEqual(spareSamples);
    expect(Math.abs(lagOf(original, played, MOST_LAG))).toBeLessThanOrEqual(1);
    // a mix of six channels to two, then one, is not the mix of six to one
    if (output.isLossless && channels <= 2) expect(lossOf(original, played)).toBe(0);
  });

  if (!isLossless) {
    it.each(['flac', 'wav'])('is not blown up to %s', async (format) => {
      const answer = await get(source, `format=${format}`);
      expect(answer.status).toBe(400);
      expect(parseJson(answer)).toMatchObject({
        code: 'bad_request',
        message: `This track is lossy: ${format} would only make it larger`,
      });
    });
  }
});

describe('other forms', () => {
  const flac = SOURCES.find(({ name }) => name === 'flac-16')!;
  const mono = SOURCES.find(({ name }) => name === 'mp3-mono-low')!;

  it.each([
    [flac, 1],
    [mono, 2],
  ])('have the channels that are asked for', async (source, channels) => {
    for (const { format } of OUTPUTS.slice(0, source.isLossless ? 5 : 3)) {
      const query = `format=${format}&channels=${channels}`;
      expect(await probeSound(await transcode(source, query, format))).toMatchObject({ channels });
    }
  });

  it.each(OUTPUTS)('begin where they are told: $format', async ({ format }) => {
    const original = await decode(fileOf(flac));
    const query = `format=${format}&start=0.75`;
    const played = await decode(await transcode(flac, query, format));
    const rest = original.subarray(0.75 * COMPARED_HZ);
    expect(Math.abs(played.length - rest.length)).toBeLessThanOrEqual(1152);
    expect(Math.abs(lagOf(rest, played, MOST_LAG))).toBeLessThanOrEqual(1);
  });
});
