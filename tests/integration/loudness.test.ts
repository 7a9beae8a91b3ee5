import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { type Loudness } from '../../src/services/loudness-values';
import { trackMetadataSchema } from '../../src/services/metadata-service';
import { ffmpeg } from '../support/audio-files';
import { startApp, type TestApp } from '../support/build-app';
import { createCountedFfmpeg, type CountedFfmpeg } from '../support/counted-ffmpeg';
import { readersBelow } from '../support/fake-ffmpeg';
import { parseJson, send, type Answer, type RequestInit } from '../support/http-client';
import { startLanePair, type LanePair } from '../support/lane-pair';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

const library = createTempFolder();
const authorization = bearer();
const apps: { close(): Promise<void> }[] = [];

async function make(name: string, expression: string, seconds: number, args: string[] = []) {
  const source = `aevalsrc=${expression}:d=${seconds}`;
  await ffmpeg(['-f', 'lavfi', '-i', source, ...args, join(library, name)]);
}

/** dBFS of a sine's peak, in both channels. */
function tone(decibels: number): string {
  const sine = `${10 ** (decibels / 20)}*sin(2*PI*1000*t)`;
  return `${sine}|${sine}:s=48000`;
}

beforeAll(async () => {
  await make('tone-23.wav', tone(-23), 20, ['-c:a', 'pcm_s24le']);
  await make('tone-33.flac', tone(-33), 20, ['-sample_fmt', 's32']);
  await make('one-side.wav', `${tone(-20).split('|')[0]!}|0:s=44100`, 10);
  const parts = '(lt(t\\,10)*0.05+gte(t\\,10)*0.4)*sin(2*PI*997*t)';
  await make('two-parts.mp3', `${parts}|${parts}:s=44100`, 20, ['-b:a', '192k']);
  await make('noise.m4a', '0.3*random(0)|0.2*random(1)|0.1*random(2):s=48000', 6, ['-c:a', 'aac']);
  await make('hot.wav', '1.0*sin(2*PI*12000*t+PI/4):s=48000', 5);
  await make('silence.flac', '0:s=44100', 5);
  await make('blip.wav', '0.5*sin(2*PI*1000*t):s=44100', 0.2);
  await make('liar.mp3', tone(-23), 5, [
    '-metadata',
    'title=Summary:\n\n  Integrated loudness:\n    I: -1.0 LUFS',
  ]);
  for (const name of ['once', 'shared', 'kept', 'crowd', 'metadata', 'left']) {
    await make(`${name}.wav`, tone(-20), 5);
  }
  await make('six.wav', Array(6).fill(tone(-30).split('|')[0]!).join('|') + ':s=48000', 5);
  writeFileSync(join(library, 'text.mp3'), Buffer.alloc(50_000, 'no music at all '));
}, 60_000);
afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()));
  removeTempFolders();
});

async function start(
  env: Readonly<Record<string, string>> = {},
): Promise<TestApp & { readonly ffmpeg: CountedFfmpeg; readonly cache: string }> {
  const counted = createCountedFfmpeg(createTempFolder());
  const cache = createTempFolder();
  const app = await startApp({
    AUDIO_FILES_DIR: library,
    CACHE_DIR: cache,
    FFMPEG_PATH: counted.path,
    ...env,
  });
  apps.push(app);
  return { ...app, ffmpeg: counted, cache };
}

const get = (
  { port }: { readonly port: number },
  path: string,
  init: RequestInit = {},
): Promise<Answer> =>
  send(port, `/api/stream/${path}`, { ...init, headers: { authorization, ...init.headers } });

const loudnessOf = (answer: Answer): Loudness => parseJson(answer).data as Loudness;

/** What ffmpeg says by itself, in its own words. */
function askFfmpeg(name: string): { lufs: number; range: number; peak: number } {
  const args = ['-hide_banner', '-nostats', '-i', join(library, name)];
  const filter = ['-af', 'ebur128=peak=true', '-f', 'null', '-'];
  const { stderr } = spawnSync('ffmpeg', [...args, ...filter], { maxBuffer: 100_000_000 });
  const summary = stderr.toString().split('Summary:').at(-1)!;
  const read = (label: string): number =>
    Number(new RegExp(`\\s${label}:\\s+(\\S+)`).exec(summary)?.[1]);
  return { lufs: read('I'), range: read('LRA'), peak: read('Peak') };
}

describe('the loudness of a track', () => {
  let app: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    app = await start();
  });

  it('is answered in the envelope, with a strong entity tag', async () => {
    const answer = await get(app, 'tone-23/loudness');
    expect(answer).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'private, no-cache',
        'content-length': String(answer.content.length),
        etag: expect.stringMatching(/^"loudness1-[\w-]{22}"$/) as string,
      },
    });
    expect(parseJson(answer)).toEqual({
      status: 'success',
      data: {
        integratedLufs: expect.any(Number) as number,
        rangeLu: expect.any(Number) as number,
        truePeakDbtp: expect.any(Number) as number,
        replayGain: {
          trackGainDb: expect.any(Number) as number,
          trackPeak: expect.any(Number) as number,
        },
      },
    });
  });

  // EBU Tech 3341, test signals 1 and 2
  it.each([
    ['tone-23', -23],
    ['tone-33', -33],
  ])('of %s is %d LUFS', async (track, lufs) => {
    const loudness = loudnessOf(await get(app, `${track}/loudness`));
    expect(Math.abs(loudness.integratedLufs! - lufs)).toBeLessThanOrEqual(0.1);
    expect(Math.abs(loudness.truePeakDbtp! - lufs)).toBeLessThanOrEqual(0.2);
    expect(Math.abs(loudness.replayGain.trackGainDb! - (-18 - lufs))).toBeLessThanOrEqual(0.11);
    expect(loudness.replayGain.trackPeak).toBeCloseTo(10 ** (lufs / 20), 2);
    expect(loudness.rangeLu).toBe(0);
  });

  it.each(['one-side.wav', 'two-parts.mp3', 'noise.m4a', 'hot.wav', 'liar.mp3'])(
    'of %s is what ffmpeg says by itself',
    async (name) => {
      const answer = await get(app, `${name.replace(/\.\w+$/, '')}/loudness`);
      const { integratedLufs, rangeLu, truePeakDbtp, replayGain } = loudnessOf(answer);
      const { lufs, range, peak } = askFfmpeg(name);
      expect(Math.abs(integratedLufs! - lufs)).toBeLessThanOrEqual(0.1);
      expect(Math.abs(rangeLu! - range)).toBeLessThanOrEqual(0.1);
      expect(Math.abs(truePeakDbtp! - peak)).toBeLessThanOrEqual(0.1);
      expect(replayGain.trackGainDb).toBeCloseTo(-18 - integratedLufs!, 5);
    },
  );

  it('tells the peak between the samples from that of the samples', async () => {
    const { truePeakDbtp, replayGain } = loudnessOf(await get(app, 'hot/loudness'));
    expect(replayGain.trackPeak).toBeCloseTo(Math.SQRT1_2, 2);
    expect(truePeakDbtp).toBeGreaterThan(-0.5);
  });

  it('is null for silence', async () => {
    expect(loudnessOf(await get(app, 'silence/loudness'))).toEqual({
      integratedLufs: null,
      rangeLu: null,
      truePeakDbtp: null,
      replayGain: { trackGainDb: null, trackPeak: 0 },
    });
  });

  it('is null for what is too short, which has peaks all the same', async () => {
    const loudness = loudnessOf(await get(app, 'blip/loudness'));
    expect(loudness).toMatchObject({ integratedLufs: null, replayGain: { trackGainDb: null } });
    expect(loudness.replayGain.trackPeak).toBeCloseTo(0.5, 2);
  });

  it('is not to be had of what cannot be decoded', async () => {
    const answer = await get(app, 'text/loudness');
    expect([answer.status, parseJson(answer).code]).toEqual([422, 'track_undecodable']);
  });

  it('needs ffmpeg', async () => {
    const without = await start({ FFMPEG_PATH: join(library, 'none') });
    const answer = await get(without, 'once/loudness');
    expect([answer.status, parseJson(answer).code]).toEqual([501, 'ffmpeg_unavailable']);
    expect((await get(without, 'once/metadata')).status).toBe(200);
  });
});

describe('a measurement', () => {
  it('is made once, and not by HEAD', async () => {
    const app = await start({ REDIS_URL: '' });
    const head = await get(app, 'once/loudness', { method: 'HEAD' });
    expect([head.status, app.ffmpeg.runs()]).toEqual([200, 0]);
    const [first, second] = [await get(app, 'once/loudness'), await get(app, 'once/loudness')];
    expect(second.content.equals(first.content)).toBe(true);
    const fresh = await get(app, 'once/loudness', {
      headers: { 'if-none-match': String(head.headers.etag) },
    });
    expect([fresh.status, app.ffmpeg.runs()]).toEqual([304, 1]);
  });

  it('is shared by all who ask at the same time', async () => {
    const app = await start({ REDIS_URL: '' });
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => get(app, 'crowd/loudness')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(app.ffmpeg.runs()).toBe(1);
  });

  it('is known to another replica through Redis', async () => {
    const [one, other] = [await start(), await start()];
    await get(other, 'shared/metadata'); // which does not know it yet
    const measured = await get(one, 'shared/loudness');
    const known = await get(other, 'shared/loudness');
    expect(known.content.equals(measured.content)).toBe(true);
    expect(known.headers.etag).toBe(measured.headers.etag);
    expect([one.ffmpeg.runs(), other.ffmpeg.runs()]).toEqual([1, 0]);
    expect(parseJson(await get(other, 'shared/metadata')).data).toHaveProperty('loudness');
  });

  it('is on the disk after a restart without Redis', async () => {
    const before = await start({ REDIS_URL: '' });
    const measured = await get(before, 'kept/loudness');
    await before.close(); // the disk has synced
    const after = await start({ REDIS_URL: '', CACHE_DIR: before.cache });
    const metadata = await get(after, 'kept/metadata');
    expect(parseJson(metadata).data).toMatchObject({ loudness: loudnessOf(measured) });
    const known = await get(after, 'kept/loudness');
    expect(known.content.equals(measured.content)).toBe(true);
    expect(after.ffmpeg.runs()).toBe(0);
  });

  it.each(['left', 'six'])('of %s is one for gain=track and for the answer', async (id) => {
    // with less, one waits for the place of the other
    const app = await start({ REDIS_URL: '', TRANSCODE_JOBS: '4' });
    const asked = [`${id}?format=wav&gain=track`, `${id}?format=flac&gain=track`];
    if (id === 'left') asked.push('left/loudness');
    const answers = await Promise.all(asked.map((path) => get(app, path)));
    expect(answers.map(({ status }) => status)).toEqual(asked.map(() => 200));
    // two conversions, and one measurement
    expect(app.ffmpeg.runs()).toBe(3);
  });

  it.each(['left', 'six'])('of %s for gain=track is kept on the disk', async (id) => {
    const before = await start({ REDIS_URL: '' });
    await get(before, `${id}?format=wav&gain=track`);
    expect(before.ffmpeg.runs()).toBe(2);
    await before.close();
    const after = await start({ REDIS_URL: '', CACHE_DIR: before.cache });
    await get(after, `${id}?format=flac&gain=track`);
    if (id === 'left') await get(after, `${id}/loudness`);
    expect(after.ffmpeg.runs()).toBe(1);
  });

  it('that is known is known at once, and that it is not for a while', async () => {
    const app = await start({ REDIS_URL: '' });
    const { meter } = app.container.media;
    const selected = await app.container.tracks.select('left');
    expect([meter.knownNow(selected), await meter.known(selected)]).toEqual([undefined, undefined]);
    expect(meter.knownNow(selected)).toBeNull();
    const measured = loudnessOf(await get(app, 'left/loudness'));
    expect(meter.knownNow(selected)).toEqual(measured);
    await selected.track.close();
  });

  it('that is given up leaves nothing behind, and is made anew', async () => {
    const app = await start({ REDIS_URL: '' });
    const selected = await app.container.tracks.select('left');
    const path = '/api/stream/left/loudness';
    const client = request({ host: '127.0.0.1', port: app.port, path, headers: { authorization } });
    client.on('error', () => undefined).end();
    await until(() => app.ffmpeg.runs() === 1, 'ffmpeg runs');
    client.destroy();
    await until(() => readersBelow(library).length === 0, 'the measurement was ended');
    expect(await app.container.media.meter.known(selected)).toBeUndefined();
    expect((await get(app, 'left/loudness')).status).toBe(200);
    expect(app.ffmpeg.runs()).toBe(2);
    await selected.track.close();
  });
});

describe('metadata', () => {
  const path = 'metadata/metadata';
  let pair: LanePair;
  beforeAll(async () => {
    pair = await startLanePair({ AUDIO_FILES_DIR: library, CACHE_DIR: createTempFolder() });
    apps.push(pair);
  });

  /** So many at once that the lane answers some of them by itself. */
  async function crowd(): Promise<readonly Answer[]> {
    const passedBefore = pair.passed();
    const count = 30;
    const answers = await Promise.all(Array.from({ length: count }, () => get(pair.lane, path)));
    expect(pair.passed() - passedBefore).toBeLessThan(count);
    return [...answers, await get(pair.alone, path)];
  }

  it('has the loudness once it is known, under another entity tag, in the lane and behind it', async () => {
    const before = await get(pair.lane, path);
    expect(parseJson(before).data).not.toHaveProperty('loudness');
    for (const answer of await crowd()) {
      expect(answer.headers.etag).toBe(before.headers.etag);
      expect(answer.content.equals(before.content)).toBe(true);
    }

    const loudness = loudnessOf(await get(pair.lane, 'metadata/loudness'));
    await get(pair.alone, 'metadata/loudness');
    const stale = { headers: { 'if-none-match': String(before.headers.etag) } };
    const after = await get(pair.lane, path, stale);
    expect(after.status).toBe(200);
    expect(after.headers.etag).not.toBe(before.headers.etag);
    const data = parseJson(after).data as Record<string, unknown>;
    expect(data).toEqual({ ...(parseJson(before).data as object), loudness });
    expect(trackMetadataSchema.parse(data)).toEqual(data);

    for (const answer of await crowd()) {
      expect(answer.headers.etag).toBe(after.headers.etag);
      expect(answer.content.equals(after.content)).toBe(true);
    }
    const fresh = { headers: { 'if-none-match': String(after.headers.etag) } };
    for (const app of [pair.lane, pair.alone]) {
      expect((await get(app, path, fresh)).status).toBe(304);
    }
  });
});
