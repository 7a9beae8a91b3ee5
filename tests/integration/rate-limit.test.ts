import { Redis } from 'ioredis';
import { createAdmissions } from '../../src/services/admissions';
import { noRedis } from '../../src/adapters/redis';
import { startApp, type TestApp } from '../support/build-app';
import { parseJson, send } from '../support/http-client';
import { MemoryStore } from '../support/memory-storage';
import { patternedBytes } from '../support/patterned-bytes';
import { signToken, uniqueSubject } from '../support/sign-token';

const MAX = 5;
const tracks = Object.fromEntries(
  Array.from({ length: 400 }, (_, i) => [`song-${i}`, { bytes: patternedBytes(1000) }]),
);
const store = new MemoryStore(tracks);

let app: TestApp;
let replica: TestApp;

beforeAll(async () => {
  [app, replica] = await Promise.all([
    startApp({ RATE_LIMIT_MAX: String(MAX) }, { store }),
    startApp({ RATE_LIMIT_MAX: String(MAX) }, { store }),
  ]);
});

afterAll(() => Promise.all([app.close(), replica.close()]));

/** A listener of their own quota. */
function createListener(port = app.port, subject = uniqueSubject()) {
  const authorization = `Bearer ${signToken({ sub: subject })}`;
  const request = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    send(port, `/api/stream/${path}`, { method, headers: { authorization, ...headers } });
  const status = async (...args: Parameters<typeof request>) => (await request(...args)).status;
  return { subject, request, status };
}

describe('the limit of a listener', () => {
  it('lets RATE_LIMIT_MAX tracks be opened, then answers 429 with Retry-After', async () => {
    const { request } = createListener();
    for (let i = 0; i < MAX; i += 1) {
      const answer = await request(`song-${i}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.ratelimit).toMatch(
        new RegExp(`^"openings"; r=${MAX - 1 - i}; t=\\d+$`),
      );
      expect(answer.headers['ratelimit-policy']).toContain(`q=${MAX}; w=60`);
    }
    const refused = await request('song-99');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(parseJson(refused)).toMatchObject({ status: 'error', code: 'rate_limited' });
    expect(refused.headers).not.toHaveProperty('etag');
  });

  it('never asks quota again for a track that is open, with any range or none', async () => {
    const { status } = createListener();
    for (let i = 0; i < MAX; i += 1) await status(`song-${i}`);
    const seeks = Array.from({ length: 50 }, (_, i) => status('song-3', { range: `bytes=${i}-` }));
    expect(new Set(await Promise.all(seeks))).toEqual(new Set([206]));
    expect(await status('song-3')).toBe(200);
    expect(await status('song-3', {}, 'HEAD')).toBe(200);
    expect(await status('song-98')).toBe(429);
  });

  it('takes the parallel first requests of a player for one opening', async () => {
    const { request, status } = createListener();
    const first = await Promise.all(
      Array.from({ length: 8 }, (_, i) => request('song-0', { range: `bytes=${i}-` })),
    );
    expect(first.map((answer) => answer.status)).toEqual(first.map(() => 206));
    for (let i = 1; i < MAX; i += 1) expect(await status(`song-${i}`)).toBe(200);
    expect(await status('song-5')).toBe(429);
  });

  it('counts HEAD and unknown tracks as openings, and metadata each time', async () => {
    const { status } = createListener();
    expect(await status('song-0', {}, 'HEAD')).toBe(200);
    expect(await status('unknown')).toBe(404);
    expect(await status('unknown')).toBe(404);
    expect(await status('song-0/metadata')).toBe(200);
    expect(await status('song-0/metadata')).toBe(200);
    expect(await status('song-0/metadata')).toBe(429);
    expect(await status('unknown')).toBe(429);
    expect(await status('song-0')).toBe(200);
  });

  it('counts a 304 for nothing, even when the quota is used up', async () => {
    const { request, status } = createListener();
    const { headers } = await request('song-0');
    const revalidate = { 'if-none-match': String(headers.etag) };
    for (let i = 1; i < 20; i += 1) expect(await status(`song-${i}`, revalidate)).toBe(304);
    for (let i = 1; i < MAX; i += 1) expect(await status(`song-${i}`)).toBe(200);
    expect(await status('song-20')).toBe(429);
    expect(await status('song-21', revalidate)).toBe(304);
  });

  it('bounds what follows an opening by RATE_LIMIT_SEEK_MAX', async () => {
    const strict = await startApp({ RATE_LIMIT_MAX: '2', RATE_LIMIT_SEEK_MAX: '3' }, { store });
    const { request, status } = createListener(strict.port);
    const statuses: number[] = [];
    for (let i = 0; i < 5; i += 1) statuses.push(await status('song-0'));
    expect(statuses).toEqual([200, 200, 200, 200, 429]);
    expect((await request('song-0')).headers['ratelimit-policy']).toContain('"continuations"; q=3');
    await strict.close();
  });

  it('meets no 429 at 50 seeks in 5 s, and one at 301 tracks in a minute, by default', async () => {
    const standard = await startApp({}, { store });
    const { status } = createListener(standard.port);
    const opened: number[] = [];
    for (let i = 0; i < 300; i += 1) opened.push(await status(`song-${i}`));
    expect(opened.every((code) => code === 200)).toBe(true);
    expect(await status('song-300')).toBe(429);
    const seeks: number[] = [];
    for (let i = 0; i < 50; i += 1) seeks.push(await status('song-7', { range: 'bytes=5-' }));
    expect(seeks.every((code) => code === 206)).toBe(true);
    await standard.close();
  });

  it('shares quota and admissions between replicas', async () => {
    const subject = uniqueSubject();
    const here = createListener(app.port, subject);
    const there = createListener(replica.port, subject);
    for (let i = 0; i < MAX; i += 1) {
      expect(await (i % 2 ? here : there).status(`song-${i}`)).toBe(200);
    }
    expect(await here.status('song-50')).toBe(429);
    expect(await there.status('song-50')).toBe(429);
    expect(await here.status('song-0')).toBe(200);
    expect(await there.status('song-1')).toBe(200);
  });

  it('writes no key without an end, and none that shows a name', async () => {
    const { subject, status } = createListener();
    await status('song-0');
    await status('song-0');
    const redis = new Redis(process.env.TEST_REDIS_URL ?? '');
    const keys = await redis.keys('tuneton:*');
    const ttls = await Promise.all(keys.map((key) => redis.pttl(key)));
    redis.disconnect();
    expect(keys.length).toBeGreaterThan(2);
    // -2: gone between the two questions
    expect(ttls.filter((ttl) => ttl === -1)).toEqual([]);
    expect(keys.some((key) => key.includes(subject) || key.includes('song'))).toBe(false);
  });

  it('does not count what is our own failure', async () => {
    const broken = await startApp({ RATE_LIMIT_MAX: '1', AUDIO_FILES_DIR: '/nonexistent/library' });
    const { request } = createListener(broken.port);
    for (let i = 0; i < 3; i += 1) {
      const answer = await request('song-0');
      expect(answer.status).toBe(503);
      expect(answer.headers['retry-after']).toBe('5');
      expect(parseJson(answer)).toMatchObject({ code: 'library_unavailable' });
    }
    await broken.close();
  });
});

describe('createAdmissions()', () => {
  it('ends an admission its time after the last request, not after the first', async () => {
    let now = 1_000_000;
    const admissions = createAdmissions({ redis: noRedis, ttlMs: 1_000, now: () => now });
    await admissions.admit('anna', 'song');
    for (let i = 0; i < 5; i += 1) {
      now += 900;
      expect(await admissions.renew('anna', 'song')).toBe(true);
    }
    expect(await admissions.renew('anna', 'other')).toBe(false);
    expect(await admissions.renew('ben', 'song')).toBe(false);
    now += 1_001;
    expect(await admissions.renew('anna', 'song')).toBe(false);
  });
});
