import { execFileSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import WaveformData from 'waveform-data';
import { MemoryStore } from '../support/memory-storage';
import { ffmpeg } from '../support/audio-files';
import { startApp, type TestApp } from '../support/build-app';
import { createCountedFfmpeg, type CountedFfmpeg } from '../support/counted-ffmpeg';
import { parseJson, send, type Answer, type RequestInit } from '../support/http-client';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const SECONDS = 3;
const library = createTempFolder();
let app: TestApp;
let ffmpegOfApp: CountedFfmpeg;
let authorization: string;

/** Encodes an expression of lavfi's aevalsrc. */
async function make(name: string, expression: string, rateHz: number, args: string[] = []) {
  const source = `aevalsrc=${expression}:s=${rateHz}:d=${SECONDS}`;
  await ffmpeg(['-f', 'lavfi', '-i', source, ...args, join(library, name)]);
}

beforeAll(async () => {
  await make('sine.wav', '0.5*sin(2*PI*440*t)', 44_100);
  await make('ramp.flac', `t/${SECONDS}`, 48_000);
  await make('click.wav', 'eq(n\\,30000)*0.9-eq(n\\,60001)*0.8', 44_100);
  await make('halves.wav', '0.8*lt(n\\,5000)|0.4*lt(n\\,5000)', 44_100);
  await make('opposite.wav', '0.5*sin(2*PI*440*t)|-0.5*sin(2*PI*440*t)', 44_100);
  await make('silence.flac', '0', 44_100);
  await make('odd.wav', '0.5*sin(2*PI*440*t)', 11_127);
  await make('surround.flac', '0.5*sin(2*PI*440*t)|0|0|0|0|0:c=5.1', 48_000);
  for (const [name, ...args] of [
    ['tone.mp3', '-b:a', '128k'],
    ['tone.m4a', '-c:a', 'aac'],
    ['tone-opus.ogg', '-c:a', 'libopus', '-ar', '48000'],
  ] as const) {
    await make(name, '0.5*sin(2*PI*440*t)|0.5*sin(2*PI*440*t)', 44_100, [...args]);
  }
  writeFileSync(join(library, 'noise.mp3'), Buffer.alloc(50_000, 'no music at all '));
  writeFileSync(join(library, 'empty.flac'), '');
  writeFileSync(join(library, 'headless.flac'), 'fLaC and then nothing of the kind');
  await make('no-sound.wav', '0', 44_100);
  truncateSync(join(library, 'no-sound.wav'), 78);
  ffmpegOfApp = createCountedFfmpeg(createTempFolder());
  app = await startApp({
    AUDIO_FILES_DIR: library,
    CACHE_DIR: createTempFolder(),
    FFMPEG_PATH: ffmpegOfApp.path,
  });
  authorization = bearer();
}, 60_000);
afterAll(async () => {
  await app.close();
  removeTempFolders();
});

const get = (track: string, query = '', init: RequestInit = {}): Promise<Answer> =>
  send(app.port, `/api/stream/${track}/waveform${query}`, {
    ...init,
    headers: { authorization, ...init.headers },
  });

interface WaveformJson {
  readonly version: number;
  readonly channels: number;
  readonly sample_rate: number;
  readonly samples_per_pixel: number;
  readonly bits: 8 | 16;
  readonly length: number;
  readonly data: readonly number[];
}

async function getJson(track: string, query = ''): Promise<WaveformJson> {
  const answer = await get(track, query);
  expect([answer.status, answer.content.subarray(0, 200).toString()]).toEqual([
    200,
    expect.anything(),
  ]);
  return parseJson(answer) as unknown as WaveformJson;
}

const lows = ({ data }: WaveformJson) => data.filter((_, i) => i % 2 === 0);
const highs = ({ data }: WaveformJson) => data.filter((_, i) => i % 2 === 1);

describe('the waveform of a track', () => {
  it('is that of audiowaveform, bare, at 20 pixels a second and 8 bits', async () => {
    const answer = await get('sine');
    expect(answer).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'application/json',
        'cache-control': 'private, no-cache',
        'content-length': String(answer.content.length),
        etag: expect.stringMatching(/^"waveform1-[\w-]{22}"$/) as string,
        vary: 'Accept',
      },
    });
    const waveform = parseJson(answer);
    expect(Object.keys(waveform)).toEqual([
      'version',
      'channels',
      'sample_rate',
      'samples_per_pixel',
      'bits',
      'length',
      'data',
    ]);
    expect(waveform).toMatchObject({
      version: 2,
      channels: 1,
      sample_rate: 44_100,
      samples_per_pixel: 2_205,
      bits: 8,
      length: SECONDS * 20,
    });
    expect(waveform.data).toHaveLength(2 * SECONDS * 20);
  });

  it('has the amplitude of a sine', async () => {
    const waveform = await getJson('sine', '?bits=16');
    for (const high of highs(waveform)) expect(Math.abs(high - 16_384)).toBeLessThan(10);
    for (const low of lows(waveform)) expect(Math.abs(low + 16_384)).toBeLessThan(10);
  });

  it('rises with a ramp', async () => {
    const waveform = await getJson('ramp', '?bits=16&pixelsPerSecond=10');
    expect(waveform).toMatchObject({ samples_per_pixel: 4_800, length: 30 });
    highs(waveform).forEach((high, i) => {
      expect(Math.abs(high - (32_768 * (i + 1)) / 30)).toBeLessThan(3);
    });
    lows(waveform).forEach((low, i) => {
      expect(Math.abs(low - (32_768 * i) / 30)).toBeLessThan(3);
    });
  });

  it('has a click in the pixel where it is', async () => {
    const waveform = await getJson('click', '?bits=16&pixelsPerSecond=1000');
    const { samples_per_pixel } = waveform;
    expect(samples_per_pixel).toBe(44);
    const upper = Math.floor(30_000 / samples_per_pixel);
    const lower = Math.floor(60_001 / samples_per_pixel);
    highs(waveform).forEach((high, i) => {
      expect(high).toBe(i === upper ? 29_491 : 0);
    });
    lows(waveform).forEach((low, i) => {
      expect(low).toBe(i === lower ? -26_214 : 0);
    });
  });

  it('is of both channels mixed', async () => {
    const [first] = highs(await getJson('halves', '?bits=16'));
    expect(Math.abs(first! - 0.6 * 32_768)).toBeLessThan(5);
    expect(Math.max(...highs(await getJson('opposite', '?bits=16')))).toBeLessThan(3);
  });

  it('is of six channels mixed', async () => {
    const waveform = await getJson('surround', '?bits=16');
    expect(waveform).toMatchObject({ channels: 1, length: SECONDS * 20 });
    expect(Math.max(...highs(waveform))).toBeGreaterThan(1_000);
  });

  it('is flat for silence', async () => {
    expect(new Set((await getJson('silence')).data)).toEqual(new Set([0]));
  });

  it('is at the rate of the track, however odd', async () => {
    const waveform = await getJson('odd', '?pixelsPerSecond=10');
    expect(waveform).toMatchObject({ sample_rate: 11_127, samples_per_pixel: 1_113, length: 30 });
  });

  it.each(['tone', 'tone-opus'])('is made of %s too, as long as it sounds', async (track) => {
    const waveform = await getJson(track, '?bits=16');
    const seconds = (waveform.length * waveform.samples_per_pixel) / waveform.sample_rate;
    expect(seconds).toBeGreaterThanOrEqual(SECONDS - 0.001);
    expect(seconds).toBeLessThan(SECONDS + 0.2);
    const middle = highs(waveform).slice(5, 50);
    for (const high of middle) expect(Math.abs(high - 16_384)).toBeLessThan(1_200);
  });

  it.each([16, 100, 1_234, 20_000])('has at most %i points when asked for', async (points) => {
    const waveform = await getJson('sine', `?points=${points}`);
    expect(waveform.length).toBeLessThanOrEqual(points);
    expect(waveform.length).toBeGreaterThan(points * 0.9);
    expect(waveform.samples_per_pixel).toBe(Math.ceil(((SECONDS + 0.001) * 44_100) / points));
  });
});

describe('its forms', () => {
  it.each([8, 16])('say the same, and are read by waveform-data, with %i bits', async (bits) => {
    const json = await getJson('ramp', `?bits=${bits}`);
    const binary = await get('ramp', `?bits=${bits}`, {
      headers: { accept: 'application/octet-stream' },
    });
    expect(binary.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(24 + (json.data.length * bits) / 8),
    });
    const fromJson = WaveformData.create(json as never);
    const fromBinary = WaveformData.create(new Uint8Array(binary.content).buffer);
    for (const read of [fromJson, fromBinary]) {
      expect(read).toMatchObject({ bits, length: json.length, sample_rate: 48_000, channels: 1 });
      expect(read.duration).toBeCloseTo(SECONDS, 1);
      expect(read.channel(0).min_array()).toEqual(lows(json));
      expect(read.channel(0).max_array()).toEqual(highs(json));
      expect(read.resample({ width: 10 }).length).toBe(10);
    }
  });

  it.each([
    ['', undefined, 'application/json'],
    ['', '*/*', 'application/json'],
    ['', 'text/html', 'application/json'],
    ['', 'application/octet-stream, */*;q=0.1', 'application/octet-stream'],
    ['?format=dat', 'application/json', 'application/octet-stream'],
    ['?format=json', 'application/octet-stream', 'application/json'],
  ])('%s with Accept: %s comes as %s', async (query, accept, mediaType) => {
    const { headers } = await get('sine', query, { headers: accept ? { accept } : {} });
    expect(headers['content-type']).toBe(mediaType);
  });

  it('have entity tags of their own, and so has each choice', async () => {
    const queries = ['', '?format=dat', '?bits=16', '?pixelsPerSecond=21', '?points=60'];
    const tags = await Promise.all(
      queries.map(async (query) => (await get('sine', query)).headers),
    );
    expect(new Set(tags.map(({ etag }) => etag)).size).toBe(queries.length);
    const spelledOut = await get('sine', '?pixelsPerSecond=20&bits=8&format=json');
    expect(spelledOut.headers.etag).toBe(tags[0]!.etag);
  });

  it('vary by Origin as well, where origins are told apart', async () => {
    const strict = await startApp({
      AUDIO_FILES_DIR: library,
      CACHE_DIR: createTempFolder(),
      CORS_ORIGIN: 'https://a.example',
    });
    const { headers } = await send(strict.port, '/api/stream/sine/waveform', {
      headers: { authorization },
    });
    await strict.close();
    expect(headers.vary).toBe('Origin, Accept');
  });
});

describe('a request for it', () => {
  it.each([
    ['?pixelsPerSecond=0', 'pixelsPerSecond must be a whole number from 1 to 1000'],
    ['?points=20001', 'points must be a whole number from 16 to 20000'],
    ['?bits=24', 'bits must be one of: 8, 16'],
    ['?format=png', 'format must be one of: json, dat'],
    ['?points=100&pixelsPerSecond=10', 'pixelsPerSecond and points exclude each other'],
    ['?bits=8&bits=8', 'bits may be given only once'],
  ])('for %s is refused', async (query, message) => {
    const answer = await get('sine', query);
    expect([answer.status, parseJson(answer)]).toEqual([
      400,
      { status: 'error', code: 'bad_request', message },
    ]);
  });

  it.each(['noise', 'empty', 'headless', 'no-sound'])(
    'for %s, in which nothing sounds, is answered 422',
    async (track) => {
      const answer = await get(track);
      expect([answer.status, parseJson(answer)]).toEqual([
        422,
        expect.objectContaining({ code: 'track_undecodable' }),
      ]);
      expect(answer.headers['cache-control']).toBe('no-store');
    },
  );

  it('with HEAD starts nothing, and knows the length of what is kept', async () => {
    const query = '?points=777';
    const before = await get('sine', query, { method: 'HEAD' });
    expect(before.headers).toMatchObject({ 'content-type': 'application/json' });
    expect(before.headers).not.toHaveProperty('content-length');
    const { content, headers } = await get('sine', query);
    const after = await get('sine', query, { method: 'HEAD' });
    expect(after.headers['content-length']).toBe(String(content.length));
    expect([before.headers.etag, after.headers.etag]).toEqual([headers.etag, headers.etag]);
  });

  it('is answered 304 and in ranges', async () => {
    const { headers, content } = await get('sine');
    const fresh = await get('sine', '', { headers: { 'if-none-match': headers.etag! } });
    expect([fresh.status, fresh.content.length, fresh.headers.vary]).toEqual([304, 0, 'Accept']);
    const part = await get('sine', '', { headers: { range: 'bytes=5-19' } });
    expect([part.status, part.content.equals(content.subarray(5, 20))]).toEqual([206, true]);
  });

  it('is answered 304 without a look at what the track holds', async () => {
    const { headers } = await get('headless', '', { method: 'HEAD' });
    const fresh = await get('headless', '', { headers: { 'if-none-match': headers.etag! } });
    expect(fresh.status).toBe(304);
  });

  it('comes from the cache the second time, in the same bytes', async () => {
    const before = ffmpegOfApp.runs();
    const first = await get('ramp', '?points=500');
    expect(ffmpegOfApp.runs()).toBe(before + 1);
    const second = await get('ramp', '?points=500');
    expect(ffmpegOfApp.runs()).toBe(before + 1);
    expect(second.content.equals(first.content)).toBe(true);
  });

  it('needs ffmpeg', async () => {
    const without = await startApp({
      AUDIO_FILES_DIR: library,
      CACHE_DIR: createTempFolder(),
      FFMPEG_PATH: join(library, 'none'),
    });
    const answer = await send(without.port, '/api/stream/sine/waveform', {
      headers: { authorization },
    });
    await without.close();
    expect([answer.status, parseJson(answer).code]).toEqual([501, 'ffmpeg_unavailable']);
  });

  it('needs a library of files', async () => {
    const store = new MemoryStore({ song: { bytes: Buffer.from('fLaC') } });
    const remote = await startApp({ CACHE_DIR: createTempFolder() }, { store });
    const answer = await send(remote.port, '/api/stream/song/waveform', {
      headers: { authorization },
    });
    await remote.close();
    expect([answer.status, parseJson(answer).code]).toEqual([501, 'not_implemented']);
  });
});

it('equals what all samples at once give', async () => {
  const file = join(library, 'tone.mp3');
  const args = ['-v', 'error', '-i', file, '-ac', '1', '-f', 's16le', '-'];
  const pcm = execFileSync('ffmpeg', args, { maxBuffer: 100_000_000 });
  const samples = Array.from({ length: pcm.length / 2 }, (_, i) => pcm.readInt16LE(2 * i));
  const waveform = await getJson('tone', '?bits=16&pixelsPerSecond=50');
  const width = waveform.samples_per_pixel;
  expect(waveform.length).toBe(Math.ceil(samples.length / width));
  for (let i = 0; i < waveform.length; i += 1) {
    const pixel = samples.slice(i * width, (i + 1) * width);
    expect([waveform.data[2 * i], waveform.data[2 * i + 1]]).toEqual([
      Math.min(...pixel),
      Math.max(...pixel),
    ]);
  }
});
