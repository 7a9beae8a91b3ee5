import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cataloguePageSchema, type CataloguePage } from '../../src/services/catalogue/catalogue';
import { startApp, type TestApp } from '../support/build-app';
import { signToken } from '../support/sign-token';
import { taggedTrack, type Tags } from '../support/tagged-track';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

let root: string;
let app: TestApp;
let token: string;

beforeEach(() => {
  root = join(createTempFolder(), 'library');
  mkdirSync(root);
  token = signToken();
});

afterEach(async () => {
  await app.close();
});

afterAll(removeTempFolders);

function put(path: string, tags: Tags = {}): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), taggedTrack(tags));
}

async function start(env: Readonly<Record<string, string>> = {}): Promise<void> {
  app = await startApp({ AUDIO_FILES_DIR: root, RATE_LIMIT_MAX: '100000', ...env });
  app.container.catalogue.start();
}

async function startAndScan(env: Readonly<Record<string, string>> = {}): Promise<void> {
  await start(env);
  await until(() => app.container.catalogue.state().isComplete, 'the first scan is complete');
}

function get(query = '', fields: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${app.port}/api/stream${query}`, {
    headers: { Authorization: `Bearer ${token}`, ...fields },
  });
}

async function list(query = ''): Promise<CataloguePage> {
  const response = await get(query);
  expect(response.status).toBe(200);
  const { data } = (await response.json()) as { data: unknown };
  return cataloguePageSchema.parse(data);
}

async function ids(query = '?limit=200'): Promise<string[]> {
  return (await list(query)).tracks.map(({ id }) => id);
}

async function untilListed(expected: readonly string[]): Promise<void> {
  await until(
    async () => JSON.stringify(await ids()) === JSON.stringify(expected),
    `listed: ${expected.join()}`,
  );
}

describe('GET /api/stream', () => {
  it('lists tracks by id in code points, with their metadata', async () => {
    put('b/two.mp3', { title: 'Two', artist: 'A', album: 'B' });
    put('a.mp3');
    put('\u{1f600}.mp3');
    put('\uff41.mp3');
    put('Z.mp3');
    await startAndScan();
    expect(await ids()).toEqual(['Z', 'a', 'b/two', '\uff41', '\u{1f600}']);
    const { tracks, total, complete, nextCursor } = await list();
    expect({ total, complete, nextCursor }).toEqual({ total: 5, complete: true, nextCursor: null });
    const metadata = await get('/b%2Ftwo/metadata');
    expect(tracks[2]).toEqual(((await metadata.json()) as { data: unknown }).data);
  });
});
