import { join } from 'node:path';
import { encode } from '../support/audio-files';
import { startApp, type TestApp } from '../support/build-app';
import { holdDownload } from '../support/held-download';
import { parseJson, send, sendRaw, type Answer, type RequestInit } from '../support/http-client';
import { MemoryStore } from '../support/memory-storage';
import { patternedBytes } from '../support/patterned-bytes';
import { bearer, signToken, uniqueSubject } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

const ID = 'AAECAwQFBgcICQoLDA0ODw';
const NOBODYS_ID = 'BAECAwQFBgcICQoLDA0ODw';
const PAUSE_SECONDS = 14_400;

interface Playback {
  readonly id: string;
  readonly url: string;
  readonly hlsUrl: string;
  readonly artworkUrl: string;
  readonly waveformUrl: string;
  readonly expiresAt: string;
}

/** Every grant that a test has met: none may be in the log. */
const grantsMet = new Set<string>();

async function begin(app: TestApp, trackId: string, authorization: string): Promise<Playback> {
  const path = `/api/stream/${encodeURIComponent(trackId)}/playback`;
  const answer = await send(app.port, path, { method: 'POST', headers: { authorization } });
  expect(answer.status).toBe(201);
  const { data } = parseJson(answer) as { data: Playback };
  grantsMet.add(grantOf(data));
  return data;
}

function grantOf({ url }: Pick<Playback, 'url'>): string {
  return new URLSearchParams(url.slice(url.indexOf('?'))).get('grant')!;
}

/** What holds for every answer, whatever was asked. */
async function ask(app: TestApp, path: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await send(app.port, path, init);
  expect(answer.headers['referrer-policy']).toBe('no-referrer');
  if (answer.status >= 400) {
    const said = answer.content.toString() + JSON.stringify(answer.headers);
    for (const grant of grantsMet) expect(said).not.toContain(grant.slice(-43));
  }
  return answer;
}

function codeOf(answer: Answer): unknown {
  return answer.content.length > 0 ? parseJson(answer).code : undefined;
}

const library = createTempFolder();

beforeAll(async () => {
  await encode(join(library, 'song.flac'), 2, []);
  await encode(join(library, 'other.flac'), 2, []);
}, 60_000);

afterAll(removeTempFolders);

describe.each([
  ['with Redis', {}],
  ['without Redis', { REDIS_URL: '' }],
])('playback grants %s', (_name, env) => {
  const subject = uniqueSubject();
  const authorization = bearer({ sub: subject });
  let app: TestApp;
  let playback: Playback;
  let grant: string;
  let grants: Readonly<Record<'other' | 'forged' | 'expired' | 'revoked', string>>;

  beforeAll(async () => {
    app = await startApp({ AUDIO_FILES_DIR: library, CACHE_DIR: createTempFolder(), ...env });
    playback = await begin(app, 'song', authorization);
    grant = grantOf(playback);
    const revoked = await begin(app, 'song', authorization);
    await ask(app, `/api/stream/song/playback/${revoked.id}`, {
      method: 'DELETE',
      headers: { authorization },
    });
    grants = {
      other: grantOf(await begin(app, 'other', authorization)),
      forged: grant.slice(0, -43) + 'A'.repeat(43),
      expired: app.container.grants.sign({
        ...{ id: ID, subject, trackId: 'song' },
        signedEndSeconds: Math.floor(Date.now() / 1000) - 1,
      }),
      revoked: grantOf(revoked),
    };
    for (const text of Object.values(grants)) grantsMet.add(text);
  });

  afterAll(() => app.close());

  const withGrant = (path: string, text: string): string =>
    `/api/stream/${path}${path.includes('?') ? '&' : '?'}grant=${text}`;

  const OPENED = [
    'song',
    'song?format=original&start=1',
    'song?format=mp3',
    'song/metadata',
    'song/hls/master.m3u8',
    'song/hls/128k/index.m3u8',
    'song/hls/128k/nothing/0.m4s',
    'song/artwork',
    'song/waveform',
    'song/loudness',
  ].flatMap((path) => [
    ['GET', path],
    ['HEAD', path],
  ]);

  describe.each(OPENED)('%s %s', (method, path) => {
    it('answers a grant as it does a token', async () => {
      const byToken = await ask(app, `/api/stream/${path}`, { method, headers: { authorization } });
      const byGrant = await ask(app, withGrant(path, grant), { method });
      expect([401, 403]).not.toContain(byToken.status);
      expect(byGrant.status).toBe(byToken.status);
      for (const name of ['content-type', 'cache-control', 'content-range', 'accept-ranges']) {
        expect([name, byGrant.headers[name]]).toEqual([name, byToken.headers[name]]);
      }
      if (path.endsWith('.m3u8')) expect(byGrant.headers.etag).not.toBe(byToken.headers.etag);
      else expect(byGrant.content).toEqual(byToken.content);
      if (byGrant.status < 400) expect(byGrant.headers['cache-control']).toMatch(/^private/);
    });

    it.each([
      ['other', 'invalid_grant'],
      ['forged', 'invalid_grant'],
      ['expired', 'grant_ended'],
      ['revoked', 'grant_ended'],
    ] as const)('refuses one that is %s', async (kind, code) => {
      const answer = await ask(app, withGrant(path, grants[kind]), { method });
      expect(answer.status).toBe(403);
      expect(answer.headers).not.toHaveProperty('www-authenticate');
      expect(answer.headers['cache-control']).toBe('no-store');
      if (method === 'GET') expect(codeOf(answer)).toBe(code);
    });

    it('refuses both credentials, whatever they are worth, and a grant twice', async () => {
      for (const text of [grant, ...Object.values(grants), '']) {
        const answer = await ask(app, withGrant(path, text), {
          method,
          headers: { authorization },
        });
        expect(answer.status).toBe(400);
        if (method === 'GET') expect(codeOf(answer)).toBe('invalid_request');
      }
      const twice = await ask(app, `${withGrant(path, grant)}&grant=${grant}`, { method });
      expect(twice.status).toBe(400);
    });
  });

  const CLOSED = [
    ['GET', ''],
    ['GET', '/'],
    ['GET', '?search=song'],
    ['GET', 'song/nothing'],
    ['GET', 'song/hls'],
    ['GET', 'song/hls/master.m3u8/more'],
    ['GET', '%2e%2e/song'],
    ['GET', '/song'],
    ['GET', 'nothing/..%2fsong'],
    ['POST', 'song/prepare?format=mp3'],
    ['POST', 'song/playback'],
    ['POST', 'song/playback?takeover=true'],
    ['PUT', 'song/playback/ID'],
    ['DELETE', 'song/playback/ID'],
    ['POST', `song/playback/${ID}/progress`],
    ['POST', `other/playback/ID/progress`],
  ] as const;

  it.each(CLOSED)('a grant does not open %s /api/stream/%s', async (method, path) => {
    const full = withGrant(path.replace('/ID', `/${playback.id}`), grant);
    const answer = await ask(app, full, { method });
    expect([answer.status, codeOf(answer)]).toEqual([403, 'invalid_grant']);
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH'])(
    'a grant does not open %s of the track',
    async (m) => {
      expect((await ask(app, withGrant('song', grant), { method: m })).status).toBe(405);
    },
  );

  it('opens the report of its own playback, as a token does', async () => {
    const path = `song/playback/${playback.id}/progress`;
    const byGrant = await ask(app, withGrant(path, grant), { method: 'POST' });
    expect([401, 403]).not.toContain(byGrant.status);
    const byToken = await ask(app, `/api/stream/${path}`, {
      method: 'POST',
      headers: { authorization },
    });
    expect([byGrant.status, codeOf(byGrant)]).toEqual([byToken.status, codeOf(byToken)]);
    for (const text of Object.values(grants)) {
      expect((await ask(app, withGrant(path, text), { method: 'POST' })).status).toBe(403);
    }
  });

  it.each([
    ['percent-encoded', (text: string) => text.replace('.', '%2E'), 403],
    ['behind a fragment', (text: string) => `${text}#t=3`, 200],
    ['with a blank', (text: string) => `${text}%20`, 403],
    ['empty', () => '', 403],
    ['before others', (text: string) => `${text}&v=1`, 200],
  ])('a grant that is %s: %s', async (_case, spell, status) => {
    const answer = await ask(app, withGrant('song', spell(grant)));
    expect(answer.status).toBe(status);
  });

  it('asks for a token where a grant goes by another name', async () => {
    for (const name of ['Grant', 'gr%61nt', 'grant%5B%5D', 'x.grant']) {
      const answer = await ask(app, `/api/stream/song?${name}=${grant}`);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="TuneTON"');
    }
  });

  it.each(['access_token', 'token', 'jwt'])('takes no %s beside a grant', async (name) => {
    const answer = await ask(app, `${withGrant('song', grant)}&${name}=x`);
    expect([answer.status, codeOf(answer)]).toEqual([400, 'invalid_request']);
  });

  it('is extended by its subject alone, and the address stays the same', async () => {
    const path = `/api/stream/song/playback/${playback.id}`;
    const answer = await ask(app, path, { method: 'PUT', headers: { authorization } });
    expect(answer.status).toBe(200);
    expect(answer.headers['cache-control']).toBe('no-store');
    const { data } = parseJson(answer) as { data: { id: string; expiresAt: string } };
    expect(data).toEqual({ id: playback.id, expiresAt: expect.any(String) as string });
    expect(new Date(data.expiresAt).toISOString()).toBe(data.expiresAt);
    expect((await ask(app, playback.url)).status).toBe(200);
  });

  it.each([
    ['of nobody', `song/playback/${NOBODYS_ID}`, undefined],
    ['that is no id', 'song/playback/x', undefined],
    ['of another subject', 'song/playback/OWN', bearer()],
    ['of another track', 'other/playback/OWN', undefined],
  ])('PUT and DELETE find no playback %s', async (_case, path, other) => {
    for (const method of ['PUT', 'DELETE']) {
      const answer = await ask(app, `/api/stream/${path.replace('OWN', playback.id)}`, {
        method,
        headers: { authorization: other ?? authorization },
      });
      expect([answer.status, codeOf(answer)]).toEqual([404, 'playback_not_found']);
    }
    expect((await ask(app, playback.url)).status).toBe(200);
  });

  it('is revoked, and that again, by a subject whose other playbacks go on', async () => {
    const own = await begin(app, 'song', authorization);
    const path = `/api/stream/song/playback/${own.id}`;
    for (let time = 0; time < 2; time += 1) {
      const answer = await ask(app, path, { method: 'DELETE', headers: { authorization } });
      expect([answer.status, answer.content.length]).toEqual([204, 0]);
    }
    expect(codeOf(await ask(app, own.url))).toBe('grant_ended');
    const late = await ask(app, path, { method: 'PUT', headers: { authorization } });
    expect(codeOf(late)).toBe('playback_not_found');
    expect((await ask(app, playback.url)).status).toBe(200);
  });

  it('is in no answer to what is no HTTP', async () => {
    const target = withGrant('song', grant);
    const raw = await sendRaw(app.port, `GET ${target} HTTP/1.1\r\nHost: x\r\nbad field\r\n\r\n`);
    expect(raw).toMatch(/^HTTP\/1\.1 400 /);
    expect(raw).toContain('\r\nReferrer-Policy: no-referrer\r\n');
    expect(raw).not.toContain(grant.slice(-43));
  });

  it('is not given out for a token that is no good, or content', async () => {
    const path = '/api/stream/song/playback';
    const expired = `Bearer ${signToken({ exp: 1_600_000_000 })}`;
    const statuses = await Promise.all(
      [
        {},
        { authorization: expired },
        { authorization, 'content-length': '1' },
        { authorization, 'content-type': 'application/json', 'content-length': '0' },
      ].map(async (headers) => (await send(app.port, path, { method: 'POST', headers })).status),
    );
    expect(statuses).toEqual([401, 401, 413, 201]);
    for (const method of ['PUT', 'DELETE']) {
      const one = `${path}/${playback.id}`;
      const answer = await ask(app, one, { method, headers: { authorization: expired } });
      expect(answer.status).toBe(401);
    }
  });

  it.each([
    ['no/playback', 404, 'track_not_found'],
    ['song/playback?takeover=yes', 400, 'bad_request'],
  ])('POST %s: %i', async (path, status, code) => {
    const headers = { authorization };
    const answer = await ask(app, `/api/stream/${path}`, { method: 'POST', headers });
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
  });

  it('names the playback in the line of a request, and nothing of what was signed', async () => {
    for (const status of [200, 201, 403]) {
      const isTold = (line: Record<string, unknown>): boolean =>
        typeof line.playback === 'string' && line.subject === subject && line.status === status;
      await until(() => app.log.some(isTold), `a line with a playback, ${status}`);
    }
    const log = JSON.stringify(app.log);
    for (const text of grantsMet) {
      expect(log).not.toContain(text);
      expect(log).not.toContain(text.slice(-43));
    }
  });
});

describe('POST /api/stream/:trackId/playback', () => {
  const NAME = 'Artist/Älbum 100%/01 Söng?';
  const store = new MemoryStore({
    [NAME]: { bytes: patternedBytes(1000) },
    song: { bytes: patternedBytes(1000) },
    long: { bytes: patternedBytes(40_000_000) },
  });
  let app: TestApp;
  let nowMs = Date.now();

  beforeAll(async () => {
    const env = { REDIS_URL: '', RATE_LIMIT_MAX: '2', TRUST_PROXY: '1' };
    app = await startApp({ ...env, RATE_LIMIT_AUTH_FAILURES: '3' }, { store, clock: () => nowMs });
  });

  afterAll(() => app.close());
  beforeEach(() => (nowMs = Date.now()));

  let addresses = 0;
  /** Of an address of its own, so that failures do not add up. */
  const fromElsewhere = (headers: Record<string, string> = {}): RequestInit => {
    addresses += 1;
    return { headers: { 'x-forwarded-for': `192.0.2.${addresses}`, ...headers } };
  };

  it('answers addresses of the track, path-absolute, and when they end', async () => {
    const path = `/api/stream/${encodeURIComponent(NAME)}`;
    const answer = await ask(app, `${path}/playback`, {
      method: 'POST',
      headers: { authorization: bearer() },
    });
    expect(answer.status).toBe(201);
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
    });
    const { status, data } = parseJson(answer) as { status: string; data: Playback };
    const grant = grantOf(data);
    const validator = new URL(data.url, 'http://host').searchParams.get('v') ?? '';
    const end = new Date((Math.ceil(nowMs / 1000 + 6 * 3600) + PAUSE_SECONDS) * 1000);
    expect([status, data]).toEqual([
      'success',
      {
        id: expect.stringMatching(/^[\w-]{21}[AQgw]$/) as string,
        url: `${path}?grant=${grant}&v=${validator}`,
        hlsUrl: `${path}/hls/master.m3u8?grant=${grant}`,
        artworkUrl: `${path}/artwork?grant=${grant}`,
        waveformUrl: `${path}/waveform?grant=${grant}`,
        expiresAt: end.toISOString(),
      },
    ]);
    const { content, headers } = await ask(app, data.url);
    expect(content).toEqual(patternedBytes(1000));
    expect(headers).toMatchObject({
      etag: `"${validator}"`,
      'cache-control': 'private, max-age=86400',
    });
  });

  it.each([
    ['the other normal form', encodeURIComponent(NAME.normalize('NFD'))],
    ['encoded once more', encodeURIComponent(encodeURIComponent(NAME))],
    ['another case', encodeURIComponent(NAME.toLowerCase())],
  ])('opens the track under the name that was signed alone, not %s', async (_case, path) => {
    const grant = grantOf(await begin(app, NAME, bearer()));
    const answer = await ask(app, `/api/stream/${path}?grant=${grant}`, fromElsewhere());
    expect([answer.status, codeOf(answer)]).toEqual([403, 'invalid_grant']);
    const spelled = encodeURIComponent(NAME).replace(/%2f/i, '%2f').replace('A', '%41');
    expect((await ask(app, `/api/stream/${spelled}?grant=${grant}`)).status).toBe(200);
  });

  it('costs an opening each time, and the player that follows none', async () => {
    const authorization = bearer();
    const one = await begin(app, 'song', authorization);
    for (let i = 0; i < 5; i += 1) {
      const answer = await ask(app, one.url, { headers: { range: `bytes=${i}-` } });
      expect(answer.status).toBe(206);
      expect(answer.headers.ratelimit).toMatch(/^"continuations"/);
    }
    await begin(app, 'song', authorization);
    const third = { method: 'POST', headers: { authorization } };
    expect((await ask(app, '/api/stream/song/playback', third)).status).toBe(429);
    // what is given out goes on
    expect((await ask(app, one.url)).status).toBe(200);
  });

  it('counts failures by address, and a grant that is right never', async () => {
    const { url } = await begin(app, 'song', bearer());
    const path = '/api/stream/song';
    const forged = `${grantOf({ url }).slice(0, -2)}AA`;
    const headers = { 'x-forwarded-for': '198.51.100.7' };
    const statuses: number[] = [];
    for (let i = 0; i < 5; i += 1) {
      statuses.push((await ask(app, `${path}?grant=${forged}`, { headers })).status);
    }
    expect(statuses).toEqual([403, 403, 403, 429, 429]);
    expect((await ask(app, url, { headers })).status).toBe(200);
  });

  it('answers an element: probe, ranges, the end of the track and behind it', async () => {
    const { url } = await begin(app, 'song', bearer());
    const rows = [
      ['bytes=0-1', 206, 'bytes 0-1/1000'],
      ['bytes=0-', 206, 'bytes 0-999/1000'],
      ['bytes=660-', 206, 'bytes 660-999/1000'],
      ['bytes=-10', 206, 'bytes 990-999/1000'],
      ['bytes=1000-', 416, 'bytes */1000'],
    ] as const;
    let etag = '';
    for (const [range, status, contentRange] of rows) {
      const answer = await ask(app, url, { headers: { range } });
      expect([range, answer.status]).toEqual([range, status]);
      expect(answer.headers['content-range']).toBe(contentRange);
      if (status === 206) etag = answer.headers.etag!;
    }
    const again = await ask(app, url, { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
    const stale = { range: 'bytes=1-', 'if-range': '"other"' };
    expect((await ask(app, url, { headers: stale })).status).toBe(200);
    expect((await ask(app, url, { method: 'HEAD' })).headers['content-length']).toBe('1000');
  });

  it('goes on when the token has expired in the song, to its own end', async () => {
    const authorization = bearer();
    const playback = await begin(app, 'song', authorization);
    const byToken = fromElsewhere({ authorization });
    const byGrant = fromElsewhere({ range: 'bytes=1-2' });
    nowMs += 700_000; // the token lasted 600 s
    expect((await ask(app, '/api/stream/song', byToken)).status).toBe(401);
    const path = `/api/stream/song/playback/${playback.id}`;
    for (const method of ['PUT', 'DELETE']) {
      expect((await ask(app, path, { ...byToken, method })).status).toBe(401);
    }
    expect((await ask(app, playback.url, byGrant)).status).toBe(206);
    nowMs = Date.parse(playback.expiresAt) - 1;
    expect((await ask(app, playback.url, byGrant)).status).toBe(206);
    nowMs += 1;
    expect(codeOf(await ask(app, playback.url, byGrant))).toBe('grant_ended');
  });

  it('cuts the running response of a playback that is revoked, and no other', async () => {
    const authorization = bearer();
    const revoked = await begin(app, 'long', authorization);
    const other = await begin(app, 'long', authorization);
    const [cut, whole] = await Promise.all([
      holdDownload(app.port, revoked.url),
      holdDownload(app.port, other.url),
    ]);
    const headers = { authorization };
    const path = `/api/stream/long/playback/${revoked.id}`;
    expect((await ask(app, path, { method: 'DELETE', headers })).status).toBe(204);
    await expect(cut.finish()).rejects.toThrow('aborted');
    expect(await whole.finish()).toHaveLength(40_000_000);
    const isTold = (line: Record<string, unknown>): boolean => line.cutReason === 'grant-ended';
    await until(() => app.log.some(isTold), 'the line of the cut response');
    expect(app.log.filter(isTold)).toEqual([
      expect.objectContaining({ playback: revoked.id, outcome: 'cut-by-server', status: 200 }),
    ]);
    await until(() => store.openCount === 0, 'all tracks are closed');
  });
});

describe('preflights of playback routes', () => {
  let app: TestApp;

  beforeAll(async () => {
    app = await startApp({ REDIS_URL: '' }, { store: new MemoryStore() });
  });

  afterAll(() => app.close());

  it.each([
    ['song/playback', 'POST, OPTIONS'],
    ['song/playback?takeover=true', 'POST, OPTIONS'],
    [`song/playback/${ID}`, 'PUT, DELETE, OPTIONS'],
    [`song/playback/${ID}/progress`, 'POST, OPTIONS'],
    [`song/playback/${ID}/progress?grant=x`, 'POST, OPTIONS'],
    ['song/prepare', 'POST, OPTIONS'],
    // with a slash at the end, as every address of a track may be asked for
    ['song/playback/', 'POST, OPTIONS'],
    [`song/playback/${ID}/`, 'PUT, DELETE, OPTIONS'],
    [`song/playback/${ID}/progress/?grant=x`, 'POST, OPTIONS'],
    ['song/prepare/', 'POST, OPTIONS'],
  ])('name the methods of /api/stream/%s and Content-Type: %s', async (path, methods) => {
    const answer = await ask(app, `/api/stream/${path}`, {
      method: 'OPTIONS',
      headers: { origin: 'https://player.example.com' },
    });
    expect(answer.status).toBe(204);
    expect(answer.headers.allow).toBe(methods);
    expect(answer.headers['access-control-allow-methods']).toBe(methods);
    const fields = String(answer.headers['access-control-allow-headers']).split(',');
    expect(fields).toEqual(expect.arrayContaining(['Content-Type', 'Authorization']));
    const refused = await ask(app, `/api/stream/${path}`);
    expect([refused.status, refused.headers.allow]).toEqual([405, methods]);
  });
});
