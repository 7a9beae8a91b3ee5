import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ffmpeg } from '../support/audio-files';
import { startApp, type TestApp } from '../support/build-app';
import { createHeldFfmpeg } from '../support/held-ffmpeg';
import { parseJson, send, type Answer, type RequestInit } from '../support/http-client';
import { bearer } from '../support/sign-token';
import { until } from '../support/until';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const AUTHORIZATION = bearer();
/** Every test has a cache key of its own: what it starts at is part of it. */
let starts = 0;

const held = createHeldFfmpeg({ firstBytes: 30_000 });
const dripping = createHeldFfmpeg({ firstBytes: 30_000, dripBytes: 400 });
const library = createTempFolder();

let app: TestApp;
let slowApp: TestApp;

beforeAll(async () => {
  await makeTone('song.flac', 20);
  await makeTone('lossy.mp3', 20);
  await makeTone('book.flac', 300);
  [app, slowApp] = await Promise.all(
    [held, dripping].map(({ path }) =>
      startApp({
        AUDIO_FILES_DIR: library,
        CACHE_DIR: createTempFolder(),
        FFMPEG_PATH: path,
        TRANSCODE_JOBS: '2',
        RATE_LIMIT_MAX: '100000',
      }),
    ) as [Promise<TestApp>, Promise<TestApp>],
  );
});

afterEach(() => {
  held.release();
  dripping.release();
});

afterAll(async () => {
  await Promise.all([app.close(), slowApp.close()]);
  removeTempFolders();
});

async function makeTone(name: string, seconds: number): Promise<void> {
  const input = `sine=f=440:r=44100:d=${seconds}`;
  await ffmpeg(['-f', 'lavfi', '-i', input, '-ac', '2', join(library, name)]);
}

function freshQuery(format: string): string {
  starts += 1;
  return `format=${format}&start=0.${String(starts).padStart(3, '0')}`;
}

function ask(path: string, { headers, ...init }: RequestInit = {}, port = app.port) {
  const fields = { authorization: AUTHORIZATION, ...headers };
  return send(port, `/api/stream/${path}`, { ...init, headers: fields });
}

/** An answer whose content may not have come. */
async function begin(path: string, headers = {}, port = app.port): Promise<IncomingMessage> {
  const req = request({
    ...{ host: '127.0.0.1', port, path: `/api/stream/${path}`, agent: false },
    headers: { authorization: AUTHORIZATION, ...headers },
  });
  req.end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  return res;
}

/** Jest looks at each byte of what it compares. */
function expectSame(some: Buffer, other: Buffer): void {
  expect(some.length).toBe(other.length);
  expect(some.equals(other)).toBe(true);
}

function errorOf(answer: Answer): { readonly status: number; readonly code: unknown } {
  return { status: answer.status, code: parseJson(answer).code };
}

describe('a first play of MP3 and WAV', () => {
  it.each(['mp3', 'wav'])('answers as if the %s were whole', async (format) => {
    const path = `song?${freshQuery(format)}`;
    const runsBefore = held.runs();
    held.hold();
    const playing = await begin(path);
    const { etag, 'content-length': length } = playing.headers;
    expect([playing.statusCode, playing.headers['accept-ranges']]).toEqual([200, 'bytes']);
    expect(etag).toMatch(/^"[^"]+"$/);
    expect(Number(length)).toBeGreaterThan(100_000);
    const last = Number(length) - 1;

    const near = await ask(path, { headers: { range: 'bytes=100-1099' } });
    const asked = [
      [`bytes=${last - 9}-${last}`, 206],
      ['bytes=-500', 206],
      ['bytes=60000-60999,90000-90009', 206],
      ['bytes=50000-', 206],
    ] as const;
    const ahead = asked.map(([range]) => ask(path, { headers: { range } }));
    const second = ask(path);
    const head = await ask(path, { method: 'HEAD' });
    expect(head.headers).toMatchObject({ etag, 'content-length': length });
    held.release();

    const content = await buffer(playing);
    expect(content).toHaveLength(Number(length));
    expectSame((await second).content, content);
    expectSame(near.content, content.subarray(100, 1100));
    expect(near.headers).toMatchObject({ etag, 'content-range': `bytes 100-1099/${length}` });
    const [end, suffix, multipart, rest] = await Promise.all(ahead);
    expectSame(end!.content, content.subarray(-10));
    expectSame(suffix!.content, content.subarray(-500));
    expectSame(rest!.content, content.subarray(50_000));
    expect(multipart?.headers['content-type']).toMatch(/^multipart\/byteranges; boundary=/);
    for (const part of [content.subarray(60_000, 61_000), content.subarray(90_000, 90_010)]) {
      expect(multipart?.content.includes(part)).toBe(true);
    }
    expect(held.runs()).toBe(runsBefore + 1);

    // and afterwards, from the cache
    const later = await ask(path);
    expect(later.headers).toMatchObject({ etag, 'content-length': length });
    expectSame(later.content, content);
    const again = await ask(path, { headers: { range: 'bytes=-500' } });
    expectSame(again.content, suffix!.content);
    expect(held.runs()).toBe(runsBefore + 1);
  });

  it('keeps its validators: If-None-Match, If-Match and If-Range', async () => {
    const path = `song?${freshQuery('mp3')}`;
    const runsBefore = held.runs();
    const { headers } = await ask(path, { method: 'HEAD' });
    const etag = String(headers.etag);
    const known = await ask(path, { headers: { 'if-none-match': etag } });
    expect([known.status, known.headers.etag]).toEqual([304, etag]);
    const other = await ask(path, { headers: { 'if-match': '"other"' } });
    expect(errorOf(other)).toEqual({ status: 412, code: 'precondition_failed' });
    expect(held.runs()).toBe(runsBefore);

    const range = 'bytes=10-19';
    const same = await ask(path, { headers: { range, 'if-range': etag } });
    expect([same.status, same.headers['content-range']]).toEqual([
      206,
      `bytes 10-19/${headers['content-length']}`,
    ]);
    const changed = await ask(path, { headers: { range, 'if-range': '"other"' } });
    expect(changed.status).toBe(200);
    const beyond = await ask(path, { headers: { range: 'bytes=99999999-' } });
    expect(errorOf(beyond)).toEqual({ status: 416, code: 'range_not_satisfiable' });
    expect(beyond.headers['content-range']).toBe(`bytes */${headers['content-length']}`);
  });

  it('refuses to wait more than 20 s for what is far ahead', async () => {
    const path = 'book?format=mp3&bitrate=192';
    dripping.hold();
    const playing = await begin(path, {}, slowApp.port);
    playing.resume();
    const far = await ask(path, { headers: { range: 'bytes=-1000' } }, slowApp.port);
    expect(errorOf(far)).toEqual({ status: 503, code: 'not_ready_yet' });
    expect(Number(far.headers['retry-after'])).toBeGreaterThan(0);
    expect(far.headers).not.toHaveProperty('content-range');
    playing.destroy();
    expect(dripping.runs()).toBe(1);
  });
});

describe('a first play of what has no length, or hides it', () => {
  it.each(['opus', 'aac', 'flac'])(
    'answers %s in chunks, and in ranges once it is whole',
    async (format) => {
      const path = `song?${freshQuery(format)}`;
      const runsBefore = held.runs();
      const head = await ask(path, { method: 'HEAD' });
      expect([head.status, head.headers['accept-ranges']]).toEqual([200, 'none']);
      expect(head.headers).not.toHaveProperty('content-length');
      expect(held.runs()).toBe(runsBefore);

      held.hold();
      const playing = await begin(path);
      const ranged = await begin(path, { range: 'bytes=-100' });
      for (const { statusCode, headers } of [playing, ranged]) {
        expect([statusCode, headers['accept-ranges']]).toEqual([200, 'none']);
        expect(headers).toMatchObject({ 'transfer-encoding': 'chunked', etag: head.headers.etag });
        expect(headers).not.toHaveProperty('content-length');
      }
      held.release();
      const content = await buffer(playing);
      expectSame(await buffer(ranged), content);
      expect(held.runs()).toBe(runsBefore + 1);

      await until(async () => {
        const { headers } = await ask(path, { method: 'HEAD' });
        return headers['accept-ranges'] === 'bytes';
      }, 'the transcode is kept');
      const whole = await ask(path);
      expectSame(whole.content, content);
      expect(whole.headers).toMatchObject({
        'accept-ranges': 'bytes',
        'content-length': String(content.length),
        etag: head.headers.etag,
      });
      const suffix = await ask(path, { headers: { range: 'bytes=-100' } });
      expect(suffix.status).toBe(206);
      expectSame(suffix.content, content.subarray(-100));
      const later = await ask(path, { method: 'HEAD' });
      expect(later.headers['content-length']).toBe(String(content.length));
      expect(held.runs()).toBe(runsBefore + 1);
    },
  );
});

describe('what is asked for', () => {
  it.each<readonly [string, RegExp]>([
    ['format=ogg', /^format must be one of original, auto, mp3, aac, opus, flac, wav$/],
    ['format=mp3&bitrate=123', /^bitrate must be one of 64, 96, 128, 160, 192, 256, 320$/],
    ['format=mp3&format=aac', /^format must be given once$/],
    ['format=flac&bitrate=320', /^flac is lossless and takes no bitrate$/],
    ['format=mp3&channels=6', /^channels must be one of 1, 2$/],
    ['format=mp3&start=20', /^start must be before the end of the track$/],
    ['format=mp3&gain=album', /^gain must be one of track$/],
    [
      'format=original&bitrate=128',
      /^bitrate needs format to be auto or one of mp3, aac, opus, flac, wav$/,
    ],
    ...['mp3;-i /etc/passwd', '-y', 'mp3%00', 'mp3%20-f%20wav', 'MP3', ''].map(
      (format) => [`format=${encodeURI(format)}`, /^format must be one of /] as const,
    ),
    ['format=mp3&start=-1', /^start must be seconds/],
    ['format=mp3&start=1%20-i%20/etc/passwd', /^start must be seconds/],
    ['format=mp3&start=concat:/etc/passwd', /^start must be seconds/],
    ['format=mp3&bitrate=128k%20-f%20tee', /^bitrate must be one of/],
    ['format=mp3&channels=1,volume=9', /^channels must be one of/],
    ['format=auto&maxBitrate=0x80', /^maxBitrate must be a whole number of kbit\/s/],
  ])('is refused, saying what there is: %s', async (query, message) => {
    const runsBefore = held.runs();
    const answer = await ask(`song?${query}`);
    expect(errorOf(answer)).toEqual({ status: 400, code: 'bad_request' });
    expect(parseJson(answer).message).toMatch(message);
    expect(held.runs()).toBe(runsBefore);
  });

  it('leaves the parameters of others alone', async () => {
    const answer = await ask('song?format=mp3&t=20&key=a&key=b', { method: 'HEAD' });
    const plain = await ask('song?format=mp3', { method: 'HEAD' });
    expect(answer.headers.etag).toBe(plain.headers.etag);
  });

  it.each(['song', 'song?format=original', 'song?t=20'])('is the file itself: %s', async (path) => {
    const runsBefore = held.runs();
    const { status, headers } = await ask(path, { headers: { range: 'bytes=0-3' } });
    expect([status, headers['content-type']]).toEqual([206, 'audio/flac']);
    expect(held.runs()).toBe(runsBefore);
  });

  it.each([
    ['song?format=auto', 'audio/flac', 'original; reason=fits'],
    ['lossy?format=auto&maxBitrate=128', 'audio/mpeg', 'original; reason=fits'],
    [
      'lossy?format=auto&maxBitrate=96',
      'audio/mp4',
      'aac; bitrate=96; reason=original-exceeds-bitrate',
    ],
    [
      'lossy?format=auto&maxBitrate=40',
      'audio/ogg',
      'opus; bitrate=32; reason=original-exceeds-bitrate',
    ],
    [
      'lossy?format=auto&maxBitrate=192&channels=1',
      'audio/mpeg',
      'mp3; bitrate=192; reason=form-asked-for',
    ],
  ])('is chosen and named: %s', async (path, type, choice) => {
    const { status, headers } = await ask(path, { method: 'HEAD' });
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': type, 'x-selected-format': choice });
    expect(headers['access-control-expose-headers']).toContain('X-Selected-Format');
  });
});

describe('another form under an address that names the state of its track', () => {
  it.each(['format=mp3', 'format=opus', 'format=auto&maxBitrate=64', 'format=auto'])(
    'may be kept for a day: %s',
    async (query) => {
      const original = await ask('song', { method: 'HEAD' });
      const v = String(original.headers.etag).slice(1, -1);
      for (const method of ['HEAD', 'GET']) {
        const { status, headers } = await ask(`song?${query}&v=${v}`, { method });
        expect([status, headers['cache-control']]).toEqual([200, 'private, max-age=86400']);
        const fields = { 'if-none-match': String(headers.etag) };
        const again = await ask(`song?${query}&v=${v}`, { method, headers: fields });
        expect([again.status, again.headers['cache-control']]).toEqual([
          304,
          'private, max-age=86400',
        ]);
        const old = await ask(`song?${query}&v=old`, { method });
        expect([old.headers.etag, old.headers['cache-control']]).toEqual([
          headers.etag,
          'private, no-cache',
        ]);
      }
    },
  );
});

describe('POST /api/stream/:trackId/prepare', () => {
  const post = { method: 'POST', headers: { 'content-length': '0' } } as const;

  it('answers 202 while it is made, 200 when it is there, and the track then comes from the cache', async () => {
    const query = freshQuery('mp3');
    const runsBefore = held.runs();
    held.hold();
    const first = await ask(`song/prepare?${query}`, post);
    expect([first.status, parseJson(first).data]).toEqual([202, { state: 'preparing' }]);
    expect(first.headers['cache-control']).toBe('no-store');
    expect((await ask(`song/prepare?${query}`, post)).status).toBe(202);
    held.release();
    await untilPrepared(query);
    const { content } = await ask(`song?${query}`);
    const head = await ask(`song?${query}`, { method: 'HEAD' });
    expect(head.headers['content-length']).toBe(String(content.length));
    expect(held.runs()).toBe(runsBefore + 1);
  });

  async function untilPrepared(query: string): Promise<void> {
    let answer = await ask(`song/prepare?${query}`, post);
    for (let tries = 0; answer.status === 202 && tries < 200; tries += 1) {
      answer = await ask(`song/prepare?${query}`, post);
    }
    expect([answer.status, parseJson(answer).data]).toEqual([200, { state: 'ready' }]);
  }

  it('has nothing to do for the original', async () => {
    const answer = await ask('song/prepare?format=original', post);
    expect([answer.status, parseJson(answer).data]).toEqual([200, { state: 'ready' }]);
  });

  it('is counted, whatever the client says to have', async () => {
    const limited = await startApp({
      AUDIO_FILES_DIR: library,
      CACHE_DIR: createTempFolder(),
      FFMPEG_PATH: held.path,
      RATE_LIMIT_MAX: '1',
      RATE_LIMIT_SEEK_MAX: '1',
    });
    try {
      const authorization = bearer();
      const statuses = [];
      for (const format of ['mp3', 'aac', 'opus']) {
        const init = { ...post, headers: { ...post.headers, authorization, 'if-none-match': '*' } };
        const { status } = await ask(`song/prepare?format=${format}`, init, limited.port);
        statuses.push(status);
      }
      expect(statuses.at(-1)).toBe(429);
    } finally {
      await limited.close();
    }
  });

  it('takes POST alone, without content and with a token', async () => {
    const got = await ask('song/prepare?format=mp3');
    expect(errorOf(got)).toEqual({ status: 405, code: 'method_not_allowed' });
    expect(got.headers.allow).toBe('POST, OPTIONS');
    const posted = await ask('song?format=mp3', post);
    expect([posted.status, posted.headers.allow]).toEqual([405, 'GET, HEAD, OPTIONS']);
    const filled = await ask('song/prepare?format=mp3', {
      method: 'POST',
      headers: { 'content-length': '2' },
    }).catch((error: unknown) => error);
    expect(filled).toMatchObject({ status: 413 });
    const stranger = await send(app.port, '/api/stream/song/prepare?format=mp3', post);
    expect(stranger.status).toBe(401);
    const preflight = await send(app.port, '/api/stream/song/prepare', {
      method: 'OPTIONS',
      headers: { origin: 'https://player.example.com', 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-methods']).toContain('POST');
  });

  it('says what can never be had', async () => {
    expect(errorOf(await ask('lossy/prepare?format=flac', post)).status).toBe(400);
    expect(errorOf(await ask('nothing/prepare?format=mp3', post)).status).toBe(404);
  });
});
