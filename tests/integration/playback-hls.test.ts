import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { encode } from '../support/audio-files';
import { startApp, type TestApp } from '../support/build-app';
import { parseJson, send, type Answer } from '../support/http-client';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const library = createTempFolder();
const authorization = bearer();
let app: TestApp;
let hlsUrl: string;
let query: string;

async function begin(): Promise<string> {
  const init = { method: 'POST', headers: { authorization } };
  const answer = await send(app.port, '/api/stream/Album%2Fsong/playback', init);
  return (parseJson(answer) as { data: { hlsUrl: string } }).data.hlsUrl;
}

beforeAll(async () => {
  await mkdir(join(library, 'Album'));
  await encode(join(library, 'Album', 'song.flac'), 13, []);
  app = await startApp({
    AUDIO_FILES_DIR: library,
    CACHE_DIR: createTempFolder(),
    REDIS_URL: '',
    RATE_LIMIT_MAX: '2',
  });
  hlsUrl = await begin();
  query = hlsUrl.slice(hlsUrl.indexOf('?'));
}, 60_000);

afterAll(async () => {
  await app.close();
  removeTempFolders();
});

async function get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return send(app.port, path, { headers });
}

/** Every address in a list, resolved as a player does: against the list's own, whose query goes. */
function addressesIn(list: string, base: string): string[] {
  const named = [
    ...[...list.matchAll(/URI="([^"]*)"/g)].map(([, uri]) => uri!),
    ...list.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
  ];
  return named.map((uri) => {
    const { pathname, search } = new URL(uri, `http://service.example${base}`);
    return pathname + search;
  });
}

describe('HLS by a playback grant', () => {
  it('is followed from the one address that was given out to the last segment', async () => {
    const master = await get(hlsUrl);
    expect(master.status).toBe(200);
    const variants = addressesIn(master.content.toString(), hlsUrl);
    expect(variants).toHaveLength(3);
    for (const variant of variants) {
      expect(variant.endsWith(`/index.m3u8${query}`)).toBe(true);
      const media = await get(variant);
      expect(media.headers['cache-control']).toBe('private, no-cache');
      const parts = addressesIn(media.content.toString(), variant);
      // 13 s in segments of 6 s, and what stands before them
      expect(parts).toHaveLength(4);
      for (const part of parts) {
        expect(part.endsWith(query)).toBe(true);
        const answer = await get(part);
        expect(answer.status).toBe(200);
        expect(answer.headers).toMatchObject({
          'content-type': 'audio/mp4',
          'cache-control': 'private, max-age=31536000, immutable',
        });
        // the same bytes as by a token, which gets them without the grant's query
        const byToken = await get(part.slice(0, -query.length), { authorization });
        expect(byToken.content.equals(answer.content)).toBe(true);
        expect(byToken.headers.etag).toBe(answer.headers.etag);
      }
    }
  });

  it('has lists that differ, and so their entity tags, by grant and by token', async () => {
    const path = hlsUrl.slice(0, -query.length);
    const tags = new Set<string>();
    const otherUrl = await begin();
    for (const list of ['master.m3u8', '128k/index.m3u8']) {
      const address = path.replace('master.m3u8', list);
      const byToken = await get(address, { authorization });
      expect(byToken.content.toString()).not.toContain('grant');
      const byGrant = await get(address + query);
      const byOther = await get(address + otherUrl.slice(otherUrl.indexOf('?')));
      for (const { headers } of [byToken, byGrant, byOther]) tags.add(headers.etag!);
      const again = await get(address + query, { 'if-none-match': byGrant.headers.etag! });
      expect(again.status).toBe(304);
      const mistaken = await get(address + query, { 'if-none-match': byToken.headers.etag! });
      expect(mistaken.status).toBe(200);
    }
    expect(tags.size).toBe(6);
  });

  it('needs a grant that is right for a segment too', async () => {
    const variant = hlsUrl.replace('master.m3u8', '128k/index.m3u8');
    const [, first = ''] = addressesIn((await get(variant)).content.toString(), variant);
    const wrong = await get(`${first.slice(0, -1)}${first.endsWith('A') ? 'B' : 'A'}`);
    expect([wrong.status, parseJson(wrong).code]).toEqual([403, 'invalid_grant']);
    expect((await get(first.slice(0, first.indexOf('?')))).status).toBe(401);
  });
});
