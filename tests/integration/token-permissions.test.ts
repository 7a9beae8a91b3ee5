import { startApp, type TestApp } from '../support/build-app';
import { parseJson, send, type Answer } from '../support/http-client';
import { startLanePair, type LanePair } from '../support/lane-pair';
import { MemoryStore } from '../support/memory-storage';
import { patternedBytes } from '../support/patterned-bytes';
import { bearer, uniqueSubject } from '../support/sign-token';

const bytes = patternedBytes(1_000);
const library = (): MemoryStore =>
  new MemoryStore({
    song: { bytes },
    other: { bytes },
    'Artist/Album/01': { bytes },
    'Caf\u00e9': { bytes },
  });

function ask(app: TestApp, path: string, authorization: string, method = 'GET'): Promise<Answer> {
  return send(app.port, path, { method, headers: { authorization } });
}

/** Without what differs from one request to the next. */
function describeAnswer({ status, headers, content }: Answer): unknown {
  return [status, { ...headers, date: '', 'x-request-id': '' }, content.toString()];
}

describe('JWT_REQUIRED_SCOPE', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ JWT_REQUIRED_SCOPE: 'stream:read' }, { store: library() });
  });
  afterAll(() => app.close());

  it.each<[object, number]>([
    [{ scope: 'stream:read' }, 200],
    [{ scope: 'openid stream:read' }, 200],
    [{ scp: ['stream:read'] }, 200],
    [{ scp: 'openid stream:read' }, 200],
    [{}, 403],
    [{ scope: 'stream:write' }, 403],
    [{ scope: ['stream:read'] }, 403],
  ])('%j: %d, each time', async (claims, status) => {
    const authorization = bearer(claims);
    for (let i = 0; i < 3; i += 1) {
      expect((await ask(app, '/api/stream/song', authorization)).status).toBe(status);
    }
  });

  it('is named in the answer (RFC 6750 §3.1)', async () => {
    const answer = await ask(app, '/api/stream/song', bearer({ scope: 'openid' }));
    expect(parseJson(answer)).toMatchObject({ status: 'error', code: 'insufficient_scope' });
    expect(answer.headers['www-authenticate']).toMatch(
      /^Bearer realm="TuneTON", error="insufficient_scope", error_description="[^"]+", scope="stream:read"$/,
    );
  });

  it('does not make a wrong token a right one', async () => {
    const answer = await ask(app, '/api/stream/song', bearer({ scope: 'stream:read', exp: 1e9 }));
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).not.toContain('scope=');
  });
});

describe('the tracks claim', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({}, { store: library() });
  });
  afterAll(() => app.close());

  const rest = [
    ...['', '?format=mp3', '?gain=track', '/metadata', '/artwork', '/waveform', '/loudness'],
    ...['/hls/master.m3u8', '/hls/aac-64/index.m3u8', '/hls/aac-64/x/0.m4s', '/unknown', '/'],
  ];
  const requests = [
    ...rest.flatMap((path) => [`GET ${path}`, `HEAD ${path}`]),
    'POST /prepare?format=mp3',
  ];

  it.each(requests)(
    'answers 403 for %s of another track, whether it exists or not',
    async (line) => {
      const [method = '', path = ''] = line.split(' ');
      const authorization = bearer({ tracks: ['song', 'Artist/*'] });
      const answers = await Promise.all(
        ['other', 'missing', '..%2f..%2fetc%2fpasswd'].map((id) =>
          ask(app, `/api/stream/${id}${path}`, authorization, method),
        ),
      );
      const [answer] = answers;
      expect(answer?.status).toBe(403);
      expect(answer?.headers['www-authenticate']).toBe(
        'Bearer realm="TuneTON", error="insufficient_scope", error_description="The token does not allow this track"',
      );
      if (method !== 'HEAD')
        expect(parseJson(answer!)).toMatchObject({ code: 'insufficient_scope' });
      for (const other of answers) expect(describeAnswer(other)).toEqual(describeAnswer(answer!));
    },
  );

  it.each<[string[], string, number]>([
    [['song'], 'song', 200],
    [['song'], 's%6Fng', 200],
    [['song'], 'Song', 403],
    [['song'], 'song%00', 403],
    [['Artist/Album/*'], 'Artist%2FAlbum%2F01', 200],
    [['Artist/Album/*'], 'Artist%2fAlbum%2f01', 200],
    [['Artist/Album/*'], 'Artist%2FAlbum%2F02', 404],
    [['Artist/Album/*'], 'other', 403],
    // the prefix is text; what escapes from it names no track
    [['Artist/*'], 'Artist%2F..%2Fother', 404],
    [['Cafe\u0301'], 'Caf%C3%A9', 200],
    [['Caf\u00e9'], 'Caf%C3%A9', 200],
    [['*'], 'song', 200],
    [[], 'song', 403],
  ])('%j and %s: %d', async (tracks, id, status) => {
    const authorization = bearer({ tracks });
    for (const path of ['', '/metadata', '']) {
      const answer = await ask(app, `/api/stream/${id}${path}`, authorization);
      // a memory store has no tags
      if (path === '' || status !== 200) expect(answer.status).toBe(status);
      else expect(answer.status).not.toBe(403);
    }
  });

  it.each([null, 'song', [7], [''], {}, Array<string>(257).fill('a')])(
    'is no limit that could be lifted by writing it as %j',
    async (tracks) => {
      const answer = await ask(app, '/api/stream/song', bearer({ tracks }));
      expect([answer.status, parseJson(answer).code]).toEqual([401, 'invalid_token']);
    },
  );

  it('does not spread from one token of a subject to another', async () => {
    const sub = uniqueSubject();
    const all = bearer({ sub });
    const one = bearer({ sub, tracks: ['song'] });
    expect((await ask(app, '/api/stream/other', all)).status).toBe(200);
    expect((await ask(app, '/api/stream/other', one)).status).toBe(403);
    expect((await ask(app, '/api/stream/other', all)).status).toBe(200);
  });

  it('leaves health and unknown addresses alone', async () => {
    const authorization = bearer({ tracks: [] });
    expect((await ask(app, '/health', authorization)).status).toBe(200);
    expect((await ask(app, '/api/nothing', authorization)).status).toBe(404);
  });
});

describe('the fast lane and the app', () => {
  let pair: LanePair;
  beforeAll(async () => {
    pair = await startLanePair({}, () => ({ store: library() }));
  });
  afterAll(() => pair.close());

  it('answer a token for some tracks alike, and the lane takes what is allowed', async () => {
    const sub = uniqueSubject();
    const all = bearer({ sub });
    const some = bearer({ sub, tracks: ['song', 'Art*'] });
    const get = (id: string, authorization: string, rest = '') => ({
      target: `/api/stream/${id}${rest}`,
      fields: ['Host: localhost', `Authorization: ${authorization}`],
    });
    // the subject is admitted to all of them, and both tokens are known
    for (const id of ['song', 'other', 'Artist%2FAlbum%2F01']) await pair.compare([get(id, all)]);
    await pair.compare([get('song', some)]);

    for (const [id, rest, status, passed] of [
      ['song', '', 200, 0],
      ['Artist%2FAlbum%2F01', '', 200, 0],
      ['other', '', 403, 1],
      ['other', '/metadata', 403, 1],
      ['missing', '', 403, 1],
      ['%6Fther', '', 403, 1],
    ] as const) {
      const { lane, alone, answers, passed: handedOn } = await pair.compare([get(id, some, rest)]);
      expect(lane).toEqual(alone);
      expect([id, answers[0]?.statusLine, handedOn]).toEqual([
        id,
        expect.stringContaining(` ${status} `),
        passed,
      ]);
    }
  });
});
