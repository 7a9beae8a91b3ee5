import { request as httpRequest } from 'node:http';
import supertest from 'supertest';
import { startApp, type TestApp } from '../support/build-app';
import { parseJson, send, type RequestInit } from '../support/http-client';
import { DEFAULT_MTIME_NS, MemoryStore } from '../support/memory-storage';
import { patternedBytes } from '../support/patterned-bytes';
import { bearer } from '../support/sign-token';

const LENGTH = 100_000;
const bytes = patternedBytes(LENGTH);
const LAST_MODIFIED = 'Fri, 01 Mar 2024 12:00:00 GMT';

let app: TestApp;
let store: MemoryStore;
let authorization: string;

beforeAll(async () => {
  store = new MemoryStore({
    song: { bytes },
    empty: { bytes: Buffer.alloc(0) },
    'Björk/Début/01 Human Behaviour': { bytes: patternedBytes(10), extension: 'flac' },
  });
  app = await startApp({ RATE_LIMIT_SEEK_MAX: '1000000' }, { store });
  authorization = bearer();
});

afterAll(() => app.close());

const get = (headers: Record<string, string> = {}, init: RequestInit & { path?: string } = {}) =>
  send(app.port, init.path ?? '/api/stream/song', {
    ...init,
    headers: { authorization, ...headers },
  });

describe('GET /api/stream/:trackId', () => {
  it('sends the whole track with every field of the contract', async () => {
    const answer = await get();

    expect(answer.status).toBe(200);
    expect(answer.content.equals(bytes)).toBe(true);
    expect(answer.headers).toMatchObject({
      'content-type': 'audio/mpeg',
      'content-length': String(LENGTH),
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache',
      'last-modified': LAST_MODIFIED,
      'content-disposition': `inline; filename="song.mp3"; filename*=UTF-8''song.mp3`,
      etag: `"${LENGTH.toString(36)}-${DEFAULT_MTIME_NS.toString(36)}"`,
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'cross-origin',
    });
    expect(answer.headers).not.toHaveProperty('content-encoding');
    expect(answer.headers).not.toHaveProperty('x-powered-by');
    expect(answer.headers).not.toHaveProperty('transfer-encoding');
  });

  it.each([
    ['bytes=0-1', 0, 1],
    ['bytes=0-', 0, LENGTH - 1],
    ['BYTES=5-9', 5, 9],
    ['bytes=-5', LENGTH - 5, LENGTH - 1],
    ['bytes=-999999', 0, LENGTH - 1],
    ['bytes=99000-18446744073709551616', 99_000, LENGTH - 1],
    ['bytes=,, 7-8 ,', 7, 8],
    ['bytes=0-99,50-149', 0, 149],
  ])('sends exactly the bytes of %s', async (range, firstPos, lastPos) => {
    const answer = await get({ range });

    expect(answer.status).toBe(206);
    expect(answer.headers['content-range']).toBe(`bytes ${firstPos}-${lastPos}/${LENGTH}`);
    expect(answer.headers['content-length']).toBe(String(lastPos - firstPos + 1));
    expect(answer.content.equals(bytes.subarray(firstPos, lastPos + 1))).toBe(true);
  });

  it('sends a thousand random ranges byte for byte', async () => {
    const random = mulberry32(20_240_301);
    for (let round = 0; round < 50; round += 1) {
      const answers = Array.from({ length: 20 }, async () => {
        const firstPos = Math.floor(random() * LENGTH);
        const lastPos = firstPos + Math.floor(random() * (LENGTH - firstPos));
        const { content } = await get({ range: `bytes=${firstPos}-${lastPos}` });
        return content.equals(bytes.subarray(firstPos, lastPos + 1));
      });
      expect(await Promise.all(answers)).toEqual(answers.map(() => true));
    }
  });

  it.each(['items=0-1', 'bytes=5-2', 'bytes=abc', 'bytes=', 'bytes 0-1', 'bytes=0-1;2-3'])(
    'ignores %s',
    async (range) => {
      const answer = await get({ range });
      expect(answer.status).toBe(200);
      expect(answer.content).toHaveLength(LENGTH);
    },
  );

  it.each(['bytes=100000-', 'bytes=-0', 'bytes=99999999999999999999999999-'])(
    'answers 416 with the length for %s',
    async (range) => {
      const answer = await get({ range });
      expect(answer.status).toBe(416);
      expect(answer.headers['content-range']).toBe(`bytes */${LENGTH}`);
      expect(parseJson(answer)).toMatchObject({ status: 'error', code: 'range_not_satisfiable' });
    },
  );

  it('answers several ranges as multipart/byteranges, in the order asked for', async () => {
    const answer = await get({ range: 'bytes=5000-5009,0-9,-10' });

    expect(answer.status).toBe(206);
    expect(answer.headers).not.toHaveProperty('content-range');
    expect(Number(answer.headers['content-length'])).toBe(answer.content.length);
    const [, boundary = ''] =
      /^multipart\/byteranges; boundary=(\S+)$/.exec(answer.headers['content-type'] ?? '') ?? [];
    const parts = answer.content.toString('latin1').split(`--${boundary}`).slice(1, -1);
    const found = parts.map((part) => {
      const [head = '', ...rest] = part.split('\r\n\r\n');
      return [/Content-Range: (.*)/.exec(head)?.[1], rest.join('\r\n\r\n').slice(0, -2)];
    });
    expect(found).toEqual([
      [`bytes 5000-5009/${LENGTH}`, bytes.subarray(5000, 5010).toString('latin1')],
      [`bytes 0-9/${LENGTH}`, bytes.subarray(0, 10).toString('latin1')],
      [`bytes 99990-99999/${LENGTH}`, bytes.subarray(-10).toString('latin1')],
    ]);
  });

  it('answers HEAD like GET, without content and without minding Range', async () => {
    const [head, whole] = await Promise.all([
      get({ range: 'bytes=0-1' }, { method: 'HEAD' }),
      get(),
    ]);
    expect(head.status).toBe(200);
    expect(head.content).toHaveLength(0);
    for (const field of ['content-length', 'content-type', 'etag', 'last-modified']) {
      expect(head.headers[field]).toBe(whole.headers[field]);
    }
  });

  it('keeps one strong entity tag over 200, 206, 304 and HEAD', async () => {
    const etag = String((await get()).headers.etag);
    const answers = await Promise.all([
      get({ range: 'bytes=0-1' }),
      get({ 'if-none-match': etag }),
      get({}, { method: 'HEAD' }),
    ]);
    expect(etag).toMatch(/^"[^"]+"$/);
    expect(answers.map(({ status }) => status)).toEqual([206, 304, 200]);
    expect(answers.map(({ headers }) => headers.etag)).toEqual([etag, etag, etag]);
  });

  it.each(['format=original&', ''])(
    'may be kept for a day under an address that names the state of the track: %s',
    async (query) => {
      const etag = String((await get()).headers.etag);
      const ask = (v: string, fields = {}) =>
        get(fields, { path: `/api/stream/song?${query}v=${v}` });
      const current = etag.slice(1, -1);
      for (const fields of [{}, { range: 'bytes=5-9' }, { 'if-none-match': etag }]) {
        const { headers } = await ask(current, fields);
        expect(headers).toMatchObject({ etag, 'cache-control': 'private, max-age=86400' });
      }
      // another state: the track as it is now, to be asked for again
      for (const v of ['', 'old', `${current}x`, encodeURIComponent(etag)]) {
        const { status, headers } = await ask(v);
        expect([status, headers['cache-control']]).toEqual([200, 'private, no-cache']);
      }
      const refused = await ask(current, { range: 'bytes=9999999-' });
      expect([refused.status, refused.headers['cache-control']]).toEqual([416, 'no-store']);
    },
  );

  it('answers 304 with what a cache updates, and nothing else of the track', async () => {
    const etag = String((await get()).headers.etag);
    const answer = await get({ 'if-none-match': `"other", W/${etag}` });
    expect(answer.status).toBe(304);
    expect(answer.content).toHaveLength(0);
    expect(answer.headers).toMatchObject({ etag, 'cache-control': 'private, no-cache' });
    for (const field of ['content-type', 'content-length', 'content-disposition']) {
      expect(answer.headers).not.toHaveProperty(field);
    }
  });

  it.each([
    ['If-Match with another tag', { 'if-match': '"other"' }, 412],
    ['If-Match with a weak tag', { 'if-match': 'W/"x"' }, 412],
    ['If-Match: *', { 'if-match': '*' }, 200],
    ['If-Unmodified-Since before', { 'if-unmodified-since': 'Fri, 01 Mar 2024 11:59:59 GMT' }, 412],
    ['If-Unmodified-Since, same second', { 'if-unmodified-since': LAST_MODIFIED }, 200],
    ['If-Modified-Since, same second', { 'if-modified-since': LAST_MODIFIED }, 304],
    [
      'If-Modified-Since, a second earlier',
      { 'if-modified-since': 'Fri, 01 Mar 2024 11:59:59 GMT' },
      200,
    ],
    [
      'If-None-Match over If-Modified-Since',
      { 'if-none-match': '"x"', 'if-modified-since': LAST_MODIFIED },
      200,
    ],
    ['If-Range with the date', { 'if-range': LAST_MODIFIED, range: 'bytes=0-1' }, 206],
    [
      'If-Range with another date',
      { 'if-range': 'Fri, 01 Mar 2024 12:00:01 GMT', range: 'bytes=0-1' },
      200,
    ],
    ['If-Range with another tag', { 'if-range': '"other"', range: 'bytes=0-1' }, 200],
    ['If-Range without Range', { 'if-range': '"other"' }, 200],
    [
      'a failed If-Match before an impossible range',
      { 'if-match': '"x"', range: 'bytes=999999-' },
      412,
    ],
  ])('evaluates %s', async (_name, headers, status) => {
    expect((await get(headers)).status).toBe(status);
  });

  it('ignores If-Modified-Since on two lines', async () => {
    const answer = await send(app.port, '/api/stream/song', {
      headers: { authorization, 'If-Modified-Since': [LAST_MODIFIED, LAST_MODIFIED] },
    });
    expect(answer.status).toBe(200);
  });

  it('sends an empty track whatever range is asked of it', async () => {
    for (const headers of [{}, { range: 'bytes=0-' }, { range: 'bytes=-1' }]) {
      const answer = await get(headers, { path: '/api/stream/empty' });
      expect(answer).toMatchObject({ status: 200, content: Buffer.alloc(0) });
      expect(answer.headers['content-length']).toBe('0');
    }
  });

  it('takes a path as one percent-encoded segment', async () => {
    const id = encodeURIComponent('Björk/Début/01 Human Behaviour');
    const answer = await get({}, { path: `/api/stream/${id}` });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('audio/flac');

    const unencoded = await get({}, { path: '/api/stream/a/b' });
    expect(parseJson(unencoded)).toMatchObject({ code: 'not_found' });
  });

  it.each([
    'nope',
    '..%2f..%2fetc%2fpasswd',
    'a%00',
    '%2fetc%2fpasswd',
    '..%5c',
    'song.mp3',
    '.song',
  ])('answers 404 track_not_found for %s', async (id) => {
    const answer = await get({}, { path: `/api/stream/${id}` });
    expect(answer.status).toBe(404);
    expect(parseJson(answer)).toMatchObject({ status: 'error', code: 'track_not_found' });
  });

  it('answers 400 for an address that is no UTF-8', async () => {
    const answer = await get({}, { path: '/api/stream/%ff' });
    expect(answer.status).toBe(400);
    expect(parseJson(answer)).toMatchObject({ code: 'bad_request' });
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND'])(
    'answers %s with 405 and Allow',
    async (method) => {
      const answer = await get({}, { method });
      expect(answer.status).toBe(405);
      expect(answer.headers.allow).toBe('GET, HEAD, OPTIONS');
      expect(parseJson(answer)).toMatchObject({ code: 'method_not_allowed' });
    },
  );

  it.each([
    [{ 'content-length': '3' }, 413, 'content_too_large'],
    [{ 'content-length': '3', 'content-encoding': 'br' }, 415, 'unsupported_media_type'],
    [{ 'transfer-encoding': 'chunked' }, 413, 'content_too_large'],
  ])('refuses a request with %j', async (headers, status, code) => {
    const answer = await new Promise<{ status: unknown; connection: unknown; text: string }>(
      (resolve, reject) => {
        const req = httpRequest(
          {
            port: app.port,
            host: '127.0.0.1',
            path: '/api/stream/song',
            headers: { authorization, ...headers },
          },
          (res) => {
            let text = '';
            res.on('data', (chunk: Buffer) => (text += chunk.toString()));
            res.on('end', () => {
              resolve({ status: res.statusCode, connection: res.headers.connection, text });
            });
          },
        );
        req.on('error', reject);
        req.flushHeaders();
      },
    );
    expect(answer).toMatchObject({ status, connection: 'close' });
    expect(JSON.parse(answer.text)).toMatchObject({ status: 'error', code });
  });

  it('leaves no track open', async () => {
    await get({ range: 'bytes=0-1' });
    await get({ 'if-none-match': '*' });
    await get({ 'if-match': '"x"' });
    expect(store.opened).toBeGreaterThan(0);
    expect(store.openCount).toBe(0);
  });
});

describe('other addresses', () => {
  it('answers 404 not_found in the same form', async () => {
    await supertest(app.server)
      .get('/api/nothing')
      .expect(404)
      .expect('Cache-Control', 'no-store')
      .expect({ status: 'error', code: 'not_found', message: 'There is nothing at this address' });
  });
});

describe('GET /health', () => {
  it('answers exactly the contract', async () => {
    const { body } = (await supertest(app.server).get('/health').expect(200)) as {
      body: Record<string, unknown>;
    };
    expect(body).toEqual({
      status: 'ok',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      uptime: expect.any(Number) as number,
      memoryUsage: {
        rss: expect.any(Number) as number,
        heapTotal: expect.any(Number) as number,
        heapUsed: expect.any(Number) as number,
        external: expect.any(Number) as number,
      },
      env: 'development',
    });
  });

  it('answers HEAD, and 405 for the rest', async () => {
    await supertest(app.server).head('/health').expect(200);
    await supertest(app.server).post('/health').expect(405).expect('Allow', 'GET, HEAD, OPTIONS');
  });
});

/** A small seeded generator, so that a failing round can be repeated. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
