import { sign } from 'jsonwebtoken';
import { startApp, type TestApp } from '../support/build-app';
import { parseJson, send, sendRaw } from '../support/http-client';
import { MemoryStore } from '../support/memory-storage';
import { patternedBytes } from '../support/patterned-bytes';
import { bearer, signToken, TEST_SECRET, uniqueSubject } from '../support/sign-token';

const PREVIOUS_SECRET = 'the-secret-before-the-rotation-32-bytes';

let app: TestApp;

beforeAll(async () => {
  const store = new MemoryStore({ song: { bytes: patternedBytes(100) } });
  app = await startApp(
    { TRUST_PROXY: '1', JWT_SECRET_PREVIOUS: PREVIOUS_SECRET, RATE_LIMIT_AUTH_FAILURES: '3' },
    { store },
  );
});

afterAll(() => app.close());

let addresses = 0;

/** Each call from an address of its own, unless told, so that failures do not add up. */
const get = (headers: Record<string, string>, path = '/api/stream/song') => {
  addresses += 1;
  const address = `203.0.${addresses >> 8}.${addresses & 255}`;
  return send(app.port, path, { headers: { 'x-forwarded-for': address, ...headers } });
};

const CHALLENGE = 'Bearer realm="TuneTON"';

describe('authentication (RFC 6750 §3)', () => {
  it.each([
    ['nothing', {}, '/api/stream/song'],
    ['a scheme that is not ours', { authorization: 'Basic dXNlcjpwYXNz' }, '/api/stream/song'],
  ])('asks for a token when %s was sent, without an error code', async (_name, headers, path) => {
    const answer = await get(headers, path);
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe(CHALLENGE);
    expect(parseJson(answer)).toMatchObject({ status: 'error', code: 'unauthorized' });
  });

  it.each([
    ['garbage', 'Bearer abc'],
    ['nothing behind the scheme', 'Bearer'],
    ['two words', 'Bearer a b'],
    ['an expired token', `Bearer ${signToken({ exp: 1_600_000_000 })}`],
    ['another secret', `Bearer ${sign({ sub: 'x', exp: 4e9 }, 'x'.repeat(32))}`],
    ['no expiry', `Bearer ${sign({ sub: 'x' }, TEST_SECRET)}`],
    ['no subject', `Bearer ${sign({ exp: 4e9 }, TEST_SECRET)}`],
    ['over 4 kB', `Bearer ${signToken({ filler: 'x'.repeat(4096) })}`],
  ])('refuses %s as invalid_token', async (_name, authorization) => {
    const answer = await get({ authorization });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(
      /^Bearer realm="TuneTON", error="invalid_token", error_description="[^"]+"$/,
    );
    expect(parseJson(answer)).toMatchObject({ code: 'invalid_token' });
  });

  it.each(['Bearer', 'bearer', 'BEARER'])('accepts the scheme as %s', async (scheme) => {
    const answer = await get({ authorization: `${scheme} ${signToken()}` });
    expect(answer.status).toBe(200);
  });

  it('accepts tokens of the previous secret', async () => {
    const token = sign({ sub: uniqueSubject() }, PREVIOUS_SECRET, { expiresIn: 60 });
    expect((await get({ authorization: `Bearer ${token}` })).status).toBe(200);
  });

  it.each(['access_token', 'token', 'jwt', 'access%5Ftoken', 'start=1&token'])(
    'refuses a token in the query as %s, beside credentials too',
    async (name) => {
      const token = signToken();
      for (const headers of [{}, { authorization: `Bearer ${token}` }]) {
        for (const path of ['song', 'song/metadata', 'song/nothing', 'no']) {
          const answer = await get(headers, `/api/stream/${path}?${name}=${token}`);
          expect(answer.status).toBe(400);
          expect(parseJson(answer)).toMatchObject({ code: 'invalid_request' });
          expect(answer.content.toString()).not.toContain(token);
        }
      }
    },
  );

  it('answers two credentials with 400 invalid_request', async () => {
    const token = signToken();
    const answers = await Promise.all([
      get({ authorization: `Bearer ${token}, Bearer ${token}` }),
      get({ authorization: `Bearer ${token}, Basic dXNlcjpwYXNz` }),
      get({ authorization: `Basic dXNlcjpwYXNz, Bearer ${token}` }),
      get({ authorization: `Bearer ${token}` }, `/api/stream/song?access_token=${token}`),
    ]);
    for (const answer of answers) {
      expect(answer.status).toBe(400);
      expect(answer.headers['www-authenticate']).toContain('error="invalid_request"');
      expect(parseJson(answer)).toMatchObject({ code: 'invalid_request' });
    }
    const line = `Authorization: Bearer ${token}\r\n`;
    const raw = await sendRaw(
      app.port,
      `GET /api/stream/song HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 198.51.100.77\r\n${line}${line}\r\n`,
    );
    expect(raw).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('answers failing requests 429 beyond the limit of their address, and valid tokens never', async () => {
    const from = { 'x-forwarded-for': '198.51.100.1' };
    const failures: number[] = [];
    for (let i = 0; i < 5; i += 1) failures.push((await get(from)).status);
    expect(failures).toEqual([401, 401, 401, 429, 429]);

    const refused = await get(from);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(parseJson(refused)).toMatchObject({ code: 'rate_limited' });
    expect((await get({ ...from, authorization: bearer() })).status).toBe(200);
    expect((await get({ 'x-forwarded-for': '198.51.100.2' })).status).toBe(401);
  });

  it('takes the addresses of one IPv6 /56 for one', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 5; i += 1) {
      statuses.push((await get({ 'x-forwarded-for': `2001:db8:1:a0${i}::${i}` })).status);
    }
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect((await get({ 'x-forwarded-for': '2001:db8:1:b00::1' })).status).toBe(401);
  });

  it.each([
    ['an IPv4 address with ports', (i: number) => `198.51.100.9:${1000 + i}`],
    ['an IPv6 address with ports', (i: number) => `[2001:db8:9::1]:${1000 + i}`],
    ['what is no address', (i: number) => `hidden-${i}`],
  ])('takes %s for one', async (_name, addressOf) => {
    const statuses: number[] = [];
    for (let i = 0; i < 4; i += 1) {
      statuses.push((await get({ 'x-forwarded-for': addressOf(i) })).status);
    }
    expect(statuses).toEqual([401, 401, 401, 429]);
  });

  it('logs nothing of a token', async () => {
    const token = signToken();
    await get({ authorization: `Bearer ${token}` }, `/api/stream/song?token=${token}`);
    await get({ authorization: `Bearer ${token}x` }, `/api/stream/${token}`);
    await get({ authorization: `Bearer ${token}`, 'x-request-id': token });
    const log = JSON.stringify(app.log);
    for (const part of token.split('.')) expect(log).not.toContain(part);
    expect(log).toContain('"track":"song"');
  });
});

describe('X-Forwarded-For without a trusted proxy', () => {
  it('is ignored', async () => {
    const direct = await startApp(
      { RATE_LIMIT_AUTH_FAILURES: '2', REDIS_URL: '' },
      { store: new MemoryStore() },
    );
    const statuses: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      const headers = { 'x-forwarded-for': `192.0.2.${i}` };
      statuses.push((await send(direct.port, '/api/stream/song', { headers })).status);
    }
    await direct.close();
    expect(statuses).toEqual([401, 401, 429]);
  });
});
