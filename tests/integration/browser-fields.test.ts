import { startApp, type TestApp } from '../support/build-app';
import { send } from '../support/http-client';
import { MemoryStore } from '../support/memory-storage';
import { patternedBytes } from '../support/patterned-bytes';
import { bearer } from '../support/sign-token';

const PLAYER = 'https://player.example.com';
const store = new MemoryStore({ song: { bytes: patternedBytes(1000) } });

let open: TestApp;
let listed: TestApp;

beforeAll(async () => {
  [open, listed] = await Promise.all([
    startApp({ RATE_LIMIT_MAX: '1', RATE_LIMIT_AUTH_FAILURES: '1000000' }, { store }),
    startApp({ CORS_ORIGIN: `${PLAYER}, https://other.example.com` }, { store }),
  ]);
});

afterAll(() => Promise.all([open.close(), listed.close()]));

describe('preflight', () => {
  it('is answered 204 without token or quota, for all that a player sends', async () => {
    for (let i = 0; i < 3; i += 1) {
      const { status, headers, content } = await send(open.port, '/api/stream/song', {
        method: 'OPTIONS',
        headers: {
          origin: PLAYER,
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'authorization,range',
        },
      });
      expect(status).toBe(204);
      expect(content).toHaveLength(0);
      // RFC 9110 §8.6: a 204 has no Content-Length
      expect(headers).not.toHaveProperty('content-length');
      expect(headers).not.toHaveProperty('ratelimit');
      expect(headers).toMatchObject({
        'access-control-allow-origin': '*',
        'access-control-allow-methods': 'GET,HEAD,OPTIONS',
        'access-control-max-age': '7200',
        allow: 'GET, HEAD, OPTIONS',
      });
      const allowed = String(headers['access-control-allow-headers']).toLowerCase().split(',');
      expect(allowed).toEqual(
        expect.arrayContaining([
          'authorization',
          'range',
          'if-range',
          'if-match',
          'if-none-match',
          'if-modified-since',
          'if-unmodified-since',
        ]),
      );
    }
  });
});

describe('CORS on every status', () => {
  const exposed = [
    'Content-Range',
    'Accept-Ranges',
    'Content-Length',
    'ETag',
    'Last-Modified',
    'Retry-After',
    'WWW-Authenticate',
    'RateLimit',
    'RateLimit-Policy',
    'X-Request-Id',
  ];
  const authorization = bearer();

  it.each([
    [200, '/api/stream/song', { authorization }],
    [206, '/api/stream/song', { authorization, range: 'bytes=0-1' }],
    [304, '/api/stream/song', { authorization, 'if-none-match': '*' }],
    [412, '/api/stream/song', { authorization, 'if-match': '"x"' }],
    [416, '/api/stream/song', { authorization, range: 'bytes=1000-' }],
    [429, '/api/stream/unknown', { authorization }],
    [404, '/api/stream/unknown', { authorization: bearer() }],
    [404, '/nothing', {}],
    [401, '/api/stream/song', {}],
    [400, '/api/stream/%ff', { authorization }],
    [413, '/api/stream/song', { authorization, 'content-length': '0001' }],
    [200, '/health', {}],
  ])('%i %s', async (status, path, headers: Record<string, string>) => {
    const method = 'GET';
    const answer = await send(open.port, path, { method, headers: { origin: PLAYER, ...headers } });
    expect(answer.status).toBe(status);
    expect(answer.headers['access-control-allow-origin']).toBe('*');
    expect(String(answer.headers['access-control-expose-headers']).split(',')).toEqual(
      expect.arrayContaining(exposed),
    );
    expect(answer.headers['cross-origin-resource-policy']).toBe('cross-origin');
    expect(answer.headers['x-request-id']).toMatch(/^[\w-]+$/);
    expect(answer.headers).not.toHaveProperty('vary');
  });
});

describe('CORS_ORIGIN as a list', () => {
  it.each([
    [PLAYER, PLAYER],
    ['https://other.example.com', 'https://other.example.com'],
    ['https://evil.example.com', undefined],
    ['https://player.example.com.evil.example', undefined],
    ['null', undefined],
  ])('answers %s with %s, and varies', async (origin, allowed) => {
    const answer = await send(listed.port, '/api/stream/song', {
      headers: { origin, authorization: bearer() },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBe(allowed);
    expect(answer.headers.vary).toBe('Origin');
    expect(answer.headers).not.toHaveProperty('access-control-allow-credentials');
  });
});
