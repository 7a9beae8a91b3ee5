import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encode, ffmpeg } from '../support/audio-files';
import { startApp, type TestApp } from '../support/build-app';
import { parseJson, send, type Answer, type RequestInit } from '../support/http-client';
import { bearer, signToken, uniqueSubject } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const IMMUTABLE = 'private, max-age=31536000, immutable';
const library = createTempFolder();
const runs = createTempFolder();
const authorization = bearer();
let app: TestApp;

/** An ffmpeg that leaves an empty file for each conversion; it may write nothing else. */
function countedFfmpeg(): string {
  const path = join(runs, '..', `${runs.split('/').pop()}-ffmpeg`);
  const count = `case "$*" in *pipe:1*) mktemp '${runs}/XXXXXXXX' >/dev/null;; esac`;
  writeFileSync(path, `#!/bin/sh\n${count}\nexec ffmpeg "$@"\n`, { mode: 0o755 });
  return path;
}

async function countRuns(action: () => Promise<unknown>): Promise<number> {
  const before = readdirSync(runs).length;
  await action();
  return readdirSync(runs).length - before;
}

/** Sounds that start and stop all the time, for which the encoder takes more than it was told. */
const SWITCHED =
  'aevalsrc=0.8*sin(2*PI*5000*t)*gt(mod(t\\,0.2)\\,0.1)' +
  '|0.8*sin(2*PI*3000*t)*gt(mod(t\\,0.1)\\,0.05):s=44100:d=13';

beforeAll(async () => {
  const file = (name: string): string => join(library, name);
  await encode(file('song.flac'), 13, []);
  await encode(file('mono.wav'), 2, ['-ac', '1']);
  await encode(file('small.mp3'), 2, ['-c:a', 'libmp3lame', '-b:a', '160k']);
  await encode(file('tiny.opus'), 2, ['-c:a', 'libopus', '-b:a', '40k', '-ac', '1']);
  await encode(file('short.flac'), 0.3, []);
  await encode(file('changing.flac'), 2, []);
  await encode(file('cut.flac'), 2, []);
  await truncate(file('cut.flac'), 200); // what describes the stream is there, its frames are not
  await writeFile(
    file('noise.mp3'),
    randomBytes(60_000).map((byte) => byte & 0x7f),
  ); // no sync word
  await ffmpeg(['-f', 'lavfi', '-i', SWITCHED, file('switched.flac')]);
  app = await startApp({
    AUDIO_FILES_DIR: library,
    FFMPEG_PATH: countedFfmpeg(),
    CACHE_DIR: createTempFolder(),
  });
}, 60_000);

afterAll(async () => {
  await app.close();
  removeTempFolders();
});

function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const init: RequestInit = { method, headers: { authorization, ...headers } };
  return send(app.port, `/api/stream/${path}`, init);
}

async function textOf(path: string): Promise<string> {
  const answer = await get(path);
  expect(answer.status).toBe(200);
  return answer.content.toString();
}

function bitRates(master: string): string[] {
  return [...master.matchAll(/^(\d+k)\/index\.m3u8$/gm)].map(([, name]) => name!);
}

/** Where the segments of a variant are, as its playlist says. */
async function segmentPaths(id: string, variant: string): Promise<string[]> {
  const list = await textOf(`${id}/hls/${variant}/index.m3u8`);
  return [...list.matchAll(/^[^#\s]+$/gm)].map(([path]) => `${id}/hls/${variant}/${path}`);
}

async function initPath(id: string, variant: string): Promise<string> {
  const list = await textOf(`${id}/hls/${variant}/index.m3u8`);
  return `${id}/hls/${variant}/${/^#EXT-X-MAP:URI="(.+)"$/m.exec(list)![1]!}`;
}

describe('playlists', () => {
  it.each(['song/hls/master.m3u8', 'song/hls/128k/index.m3u8'])(
    'are lists that clients revalidate: %s',
    async (path) => {
      const answer = await get(path);
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({
        'content-type': 'application/vnd.apple.mpegurl',
        'cache-control': 'private, no-cache',
        'content-length': String(answer.content.length),
        'x-content-type-options': 'nosniff',
        etag: expect.stringMatching(/^"[\w-]+"$/) as string,
      });
      expect(answer.content.toString()).toMatch(/^#EXTM3U\n/);

      const again = await get(path, { 'if-none-match': answer.headers.etag! });
      expect([again.status, again.content.length]).toEqual([304, 0]);
      expect(again.headers.etag).toBe(answer.headers.etag);
      const head = await get(path, {}, 'HEAD');
      expect(head.headers['content-length']).toBe(answer.headers['content-length']);
    },
  );

  it('need no run of ffmpeg, and list all of the track', async () => {
    let list = '';
    const count = await countRuns(async () => {
      await textOf('song/hls/master.m3u8');
      list = await textOf('song/hls/64k/index.m3u8');
    });
    expect(count).toBe(0);
    const durations = [...list.matchAll(/^#EXTINF:([\d.]+),$/gm)].map(([, text]) => Number(text));
    expect(durations).toHaveLength(3);
    expect(durations.reduce((sum, value) => sum + value, 0)).toBeCloseTo(13, 5);
    expect(list).toMatch(/#EXT-X-ENDLIST\n$/);
  });

  it.each([
    ['song', ['64k', '128k', '256k']],
    ['mono', ['64k', '128k', '256k']],
    ['small', ['64k', '128k']],
  ])('offer of %s what is not above its own rate', async (id, expected) => {
    expect(bitRates(await textOf(`${id}/hls/master.m3u8`))).toEqual(expected);
  });

  it('offer the own rate of a source that is below all', async () => {
    const { data } = parseJson(await get('tiny/metadata')) as { data: { bitrate: number } };
    const offered = bitRates(await textOf('tiny/hls/master.m3u8'));
    expect(offered).toEqual([`${Math.floor(data.bitrate)}k`]);
    expect(data.bitrate).toBeLessThan(64);
  });
});

describe('segments', () => {
  it.each(['song', 'mono', 'small', 'tiny', 'short'])(
    'of %s are whole, immutable, and of their own address',
    async (id) => {
      const [variant] = bitRates(await textOf(`${id}/hls/master.m3u8`));
      const paths = [await initPath(id, variant!), ...(await segmentPaths(id, variant!))];
      const tags = new Set();
      for (const path of paths) {
        const answer = await get(path);
        expect(answer.status).toBe(200);
        expect(answer.headers).toMatchObject({
          'content-type': 'audio/mp4',
          'cache-control': IMMUTABLE,
          'content-length': String(answer.content.length),
        });
        expect(answer.content.toString('latin1', 4, 8)).toBe(
          path.includes('init') ? 'ftyp' : 'styp',
        );
        tags.add(answer.headers.etag);
        const again = await get(path, { 'if-none-match': answer.headers.etag! });
        expect(again.status).toBe(304);
        expect(again.headers['cache-control']).toBe(IMMUTABLE);
      }
      expect(tags.size).toBe(paths.length);
    },
  );

  it('are encoded once, and then the same bytes', async () => {
    const [path] = await segmentPaths('song', '256k');
    const first = await get(path!);
    let second: Answer | undefined;
    expect(await countRuns(async () => (second = await get(path!)))).toBe(0);
    expect(second?.content.equals(first.content)).toBe(true);
  });

  it('have ranges', async () => {
    const [path] = await segmentPaths('song', '64k');
    const whole = await get(path!);
    for (const target of [path!, await initPath('song', '64k')]) {
      const { content } = await get(target);
      const part = await get(target, { range: 'bytes=100-299' });
      expect(part.status).toBe(206);
      expect(part.headers['content-range']).toBe(`bytes 100-299/${content.length}`);
      expect(part.content.equals(content.subarray(100, 300))).toBe(true);
    }
    const behind = await get(path!, { range: `bytes=${whole.content.length}-` });
    expect(behind.status).toBe(416);
    const stale = await get(path!, { range: 'bytes=0-1', 'if-range': '"another"' });
    expect([stale.status, stale.content.length]).toEqual([200, whole.content.length]);
  });

  it('asked for with a range first are encoded for that', async () => {
    const [, path] = await segmentPaths('song', '64k');
    const part = await get(path!, { range: 'bytes=-10' });
    expect(part.status).toBe(206);
    expect(part.content.equals((await get(path!)).content.subarray(-10))).toBe(true);
  });

  it('are encoded by no HEAD', async () => {
    const [, , path] = await segmentPaths('song', '128k');
    const head = (): Promise<Answer> => get(path!, {}, 'HEAD');
    let before: Answer | undefined;
    expect(await countRuns(async () => (before = await head()))).toBe(0);
    expect(before?.status).toBe(200);
    expect(before?.headers).not.toHaveProperty('content-length');
    const whole = await get(path!);
    const after = await head();
    expect(after.headers).toMatchObject({
      etag: before?.headers.etag,
      'content-length': String(whole.content.length),
    });
  });

  it('asked for in parallel are encoded once', async () => {
    const [path] = await segmentPaths('song', '128k');
    let answers: Answer[] = [];
    const count = await countRuns(async () => {
      answers = await Promise.all([get(path!), get(path!), get(path!)]);
    });
    expect(count).toBe(1);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(answers.every(({ content }) => content.equals(answers[0]!.content))).toBe(true);
  });

  it('take no more than BANDWIDTH, also where the encoder would', async () => {
    const master = await textOf('switched/hls/master.m3u8');
    const bandwidthBps = Number(/BANDWIDTH=(\d+).*\n64k/.exec(master)![1]);
    const list = await textOf('switched/hls/64k/index.m3u8');
    const durations = [...list.matchAll(/^#EXTINF:([\d.]+),$/gm)].map(([, text]) => Number(text));
    const [first, second] = await segmentPaths('switched', '64k');
    const count = await countRuns(async () => {
      for (const [i, path] of [first, second].entries()) {
        const { content } = await get(path!);
        expect((content.length * 8) / durations[i]!).toBeLessThanOrEqual(bandwidthBps);
        expect((content.length * 8) / durations[i]!).toBeGreaterThan(32_000);
      }
    });
    expect(count).toBeGreaterThan(2); // else this sound shows nothing
  });
});

describe('addresses that lead nowhere', () => {
  it.each([
    ['a variant that is not offered', (path: string) => path.replace('/128k/', '/256k/'), 'small'],
    ['an unknown variant', (path: string) => path.replace('/128k/', '/129k/'), 'song'],
    ['a variant spelt otherwise', (path: string) => path.replace('/128k/', '/0128k/'), 'song'],
    ['another validator', (path: string) => path.replace('/v-', '/w-'), 'song'],
    ['the number behind the last', (path: string) => path.replace('/0.m4s', '/3.m4s'), 'song'],
    ['a number with zeros', (path: string) => path.replace('/0.m4s', '/00.m4s'), 'song'],
    ['a number below zero', (path: string) => path.replace('/0.m4s', '/-1.m4s'), 'song'],
    ['a number in parts', (path: string) => path.replace('/0.m4s', '/0.0.m4s'), 'song'],
    ['a number of seven digits', (path: string) => path.replace('/0.m4s', '/1000000.m4s'), 'song'],
    ['no number', (path: string) => path.replace('/0.m4s', '/.m4s'), 'song'],
    ['another ending', (path: string) => path.replace('.m4s', '.M4S'), 'song'],
    ['a way out of the folder', (path: string) => path.replace('0.m4s', '..%2f0.m4s'), 'song'],
  ])('answer 404 and encode nothing: %s', async (_, change, id) => {
    const [path] = await segmentPaths(id, '128k');
    const changed = change(path!);
    expect(changed).not.toBe(path);
    const count = await countRuns(async () => {
      const answer = await get(changed);
      expect(answer.status).toBe(404);
      expect(parseJson(answer)).toMatchObject({ status: 'error', code: 'not_found' });
      expect(answer.headers).not.toHaveProperty('cache-control', IMMUTABLE);
    });
    expect(count).toBe(0);
  });

  it.each(['song/hls', 'song/hls/', 'song/hls/128k', 'song/hls/MASTER.m3u8', 'song/hls/a/b/c/d'])(
    'answer 404: %s',
    async (path) => {
      expect((await get(path)).status).toBe(404);
    },
  );

  it('are those of a track that has changed', async () => {
    const [before] = await segmentPaths('changing', '64k');
    expect((await get(before!)).status).toBe(200);
    const replacement = join(library, 'replacement.tmp.flac');
    await encode(replacement, 3, []);
    await rename(replacement, join(library, 'changing.flac'));
    const [after] = await segmentPaths('changing', '64k');
    expect(after).not.toBe(before);
    expect((await get(before!)).status).toBe(404);
    expect((await get(after!)).status).toBe(200);
  });
});

describe('who may', () => {
  const paths = async (): Promise<string[]> => [
    'song/hls/master.m3u8',
    'song/hls/64k/index.m3u8',
    await initPath('song', '64k'),
    (await segmentPaths('song', '64k'))[0]!,
  ];

  it('is asked on every address', async () => {
    for (const path of await paths()) {
      const answer = await send(app.port, `/api/stream/${path}`);
      expect([path, answer.status]).toEqual([path, 401]);
      const wrong = await get(path, { authorization: 'Bearer nonsense' });
      expect([path, wrong.status]).toEqual([path, 401]);
    }
  });

  it('opens a track with whichever is asked first, and goes on with all of them', async () => {
    const limited = await startApp({ AUDIO_FILES_DIR: library, RATE_LIMIT_MAX: '1' });
    try {
      for (const first of await paths()) {
        const token = signToken({ sub: uniqueSubject() });
        const ask = async (path: string): Promise<[number, unknown]> => {
          const headers = { authorization: `Bearer ${token}` };
          const answer = await send(limited.port, `/api/stream/${path}`, { headers });
          return [answer.status, answer.headers.ratelimit];
        };
        const opened = await ask(first);
        expect(opened).toEqual([200, expect.stringMatching(/^"openings"; r=0/)]);
        for (const path of await paths()) {
          expect(await ask(path)).toEqual([200, expect.stringMatching(/^"continuations"/)]);
        }
        expect((await ask('song'))[0]).toBe(200);
        expect((await ask('mono/hls/master.m3u8'))[0]).toBe(429);
        expect((await ask('mono'))[0]).toBe(429);
      }
    } finally {
      await limited.close();
    }
  });
});

describe('what cannot be had', () => {
  it('is 501 without ffmpeg, while originals stream', async () => {
    const bare = await startApp({ AUDIO_FILES_DIR: library, FFMPEG_PATH: '/nonexistent' });
    try {
      const ask = (path: string): Promise<Answer> =>
        send(bare.port, `/api/stream/${path}`, { headers: { authorization } });
      const [segment] = await segmentPaths('song', '64k');
      for (const path of ['song/hls/master.m3u8', 'song/hls/64k/index.m3u8', segment!]) {
        const answer = await ask(path);
        expect(answer.status).toBe(501);
        expect(parseJson(answer)).toMatchObject({ code: 'ffmpeg_unavailable' });
      }
      const original = await ask('song');
      expect(original.content.equals(await readFile(join(library, 'song.flac')))).toBe(true);
    } finally {
      await bare.close();
    }
  });

  it.each(['master.m3u8', '64k/index.m3u8', '64k/any/0.m4s'])(
    'is 422 of a track without sound: %s',
    async (path) => {
      const answer = await get(`noise/hls/${path}`);
      expect(answer.status).toBe(422);
      expect(parseJson(answer)).toMatchObject({ status: 'error', code: 'track_undecodable' });
    },
  );

  it('is 422 of segments where nothing but the head can be read', async () => {
    const [path] = await segmentPaths('cut', '64k');
    const answer = await get(path!);
    expect(answer.status).toBe(422);
    expect(parseJson(answer)).toMatchObject({ code: 'track_undecodable' });
    expect(answer.headers).not.toHaveProperty('cache-control', IMMUTABLE);
  });

  it('is 422 of a track that claims to last for years', async () => {
    const claim = await readFile(join(library, 'short.flac'));
    // STREAMINFO: 20 bits of rate become 1 Hz, 36 bits of samples as many as they can be
    claim.writeUIntBE((claim.readUIntBE(18, 3) & 0x00000f) | (1 << 4), 18, 3);
    claim.writeUInt8(claim.readUInt8(21) | 0x0f, 21);
    claim.writeUInt32BE(0xffffffff, 22);
    await writeFile(join(library, 'claim.flac'), claim);
    const answer = await get('claim/hls/64k/index.m3u8');
    expect(answer.status).toBe(422);
  });
});
