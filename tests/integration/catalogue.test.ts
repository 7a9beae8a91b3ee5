import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type TrackMetadata } from '../../src/services/metadata-service';
import { cataloguePageSchema, type CataloguePage } from '../../src/services/catalogue/catalogue';
import { readinessSchema, type ReadinessAnswer } from '../../src/services/readiness';
import { createLocalLibrary, type WatchFolder } from '../../src/storage/local-library';
import { type Replacements } from '../../src/container';
import { createTagReader, type TagReader } from '../../src/adapters/tag-reader';
import { startApp, type TestApp } from '../support/build-app';
import { send, type Answer } from '../support/http-client';
import { bearer } from '../support/sign-token';
import { taggedTrack, type Tags } from '../support/tagged-track';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

let parent: string;
let root: string;
let app: TestApp;
let authorization: string;

// its threads take time to start
const sharedReader = createTagReader({ workerFile: process.env.TEST_TAG_WORKER! });
const tagReader: TagReader = { ...sharedReader, close: () => Promise.resolve() };

beforeEach(() => {
  parent = createTempFolder();
  root = join(parent, 'library');
  mkdirSync(root);
  authorization = bearer();
});

afterEach(async () => {
  await app.close();
});

afterAll(async () => {
  removeTempFolders();
  await sharedReader.close();
});

function put(path: string, tags: Tags = {}, frames?: number): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), taggedTrack(tags, frames));
}

const NOBODY = 65_534;

type Env = Readonly<Record<string, string>>;

/** The socket of the tests' own is closed to {@link NOBODY}. */
const NO_REDIS: Env = { REDIS_URL: '' };

async function start(env: Env = {}, replacements: Replacements = {}): Promise<void> {
  app = await startApp(
    { AUDIO_FILES_DIR: root, RATE_LIMIT_MAX: '100000', ...env },
    { tagReader, ...replacements },
  );
  app.container.catalogue.start();
}

async function startAndScan(env: Env = {}, replacements: Replacements = {}): Promise<void> {
  await start(env, replacements);
  await until(() => app.container.catalogue.state().isComplete, 'the first scan is complete');
}

function get(target = '', headers: Env = {}, method = 'GET'): Promise<Answer> {
  return send(app.port, `/api/stream${target}`, {
    method,
    headers: { Authorization: authorization, ...headers },
  });
}

async function list(query = ''): Promise<CataloguePage> {
  const { status, content } = await get(query);
  expect(status).toBe(200);
  const { data } = JSON.parse(content.toString()) as { data: unknown };
  return cataloguePageSchema.parse(data);
}

async function ids(query = '?limit=200'): Promise<string[]> {
  return (await list(query)).tracks.map(({ id }) => id);
}

function find(words: string): Promise<string[]> {
  return ids(`?search=${encodeURIComponent(words)}`);
}

async function untilListed(expected: readonly string[]): Promise<void> {
  let last: readonly string[] = [];
  await until(async () => {
    last = await ids();
    return last.join('\n') === expected.join('\n');
  }, `listed: ${expected.join()}`).catch((error: unknown) => {
    throw new Error(`${String(error)}; listed was ${last.join()}`, { cause: error });
  });
}

async function untilDescribed(id: string, title: string): Promise<void> {
  await until(
    async () => (await list('?limit=200')).tracks.find((each) => each.id === id)?.title === title,
    `${id} is described as ${title}`,
  );
}

/** Root may read everything, so it becomes somebody else meanwhile, in all threads of this process. */
async function asNobody(act: () => Promise<void>): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    chmodSync(parent, 0o755);
    chownSync(root, NOBODY, NOBODY);
    process.seteuid?.(NOBODY);
  }
  try {
    await act();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

async function expectAllOpen(): Promise<void> {
  for (const id of await ids()) {
    const { status } = await get(`/${encodeURIComponent(id)}`, {}, 'HEAD');
    expect([id, status]).toEqual([id, 200]);
  }
}

async function ready(): Promise<ReadinessAnswer & { readonly httpStatus: number }> {
  const { status, content, headers } = await send(app.port, '/health/ready');
  expect(headers['cache-control']).toBe('no-store');
  return { ...readinessSchema.parse(JSON.parse(content.toString())), httpStatus: status };
}

function codeOf({ content }: Answer): unknown {
  return (JSON.parse(content.toString()) as { code: unknown }).code;
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
    const { content } = await get('/b%2Ftwo/metadata');
    expect(tracks[2]).toEqual((JSON.parse(content.toString()) as { data: TrackMetadata }).data);
  });

  it('answers with and without a slash at its end, and HEAD without content', async () => {
    put('a.mp3');
    await startAndScan();
    const [plain, slash, head] = [await get(), await get('/'), await get('', {}, 'HEAD')];
    expect(slash.content).toEqual(plain.content);
    expect(head.content).toHaveLength(0);
    for (const { status, headers } of [plain, slash, head]) {
      expect(status).toBe(200);
      expect(headers).toMatchObject({
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'private, no-cache',
        'content-length': `${plain.content.length}`,
        etag: plain.headers.etag,
      });
    }
  });

  it('answers 304 while the page is the same, and for that uses up nothing', async () => {
    put('a.mp3', { title: 'Before' });
    await startAndScan({ RATE_LIMIT_MAX: '3' });
    const { headers } = await get();
    const tag = String(headers.etag);
    expect(tag).toMatch(/^"[^"]+"$/);
    for (let i = 0; i < 5; i += 1) {
      const again = await get('', { 'If-None-Match': tag });
      expect([again.status, again.content.length, again.headers.etag]).toEqual([304, 0, tag]);
    }
    const other = await get('?search=nothing', { 'If-None-Match': tag });
    expect(other.status).toBe(200);
    expect((await get('', { 'If-Match': '"other"' })).status).toBe(412);
    expect(codeOf(await get())).toBe('rate_limited');
  });

  it('costs an opening, and says so', async () => {
    await startAndScan({ RATE_LIMIT_MAX: '2' });
    const { headers } = await get();
    expect(headers.ratelimit).toMatch(/^"openings"; r=1; /);
    expect((await get('?limit=0')).status).toBe(400); // guesses are counted too
    expect((await get()).status).toBe(429);
  });

  it('wants a token', async () => {
    await startAndScan();
    const { status, headers } = await send(app.port, '/api/stream');
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBe('Bearer realm="TuneTON"');
  });

  it.each([
    ['?limit=0', 'limit must be a whole number from 1 to 200'],
    ['?limit=201', 'limit must be a whole number from 1 to 200'],
    ['?limit=1.5', 'limit must be a whole number from 1 to 200'],
    ['?limit=', 'limit must be a whole number from 1 to 200'],
    ['?limit=1&limit=1', 'limit may be given only once'],
    ['?search=a&search=b', 'search may be given only once'],
    ['?cursor=a&cursor=b', 'cursor may be given only once'],
    ['?q=a', 'The parameters of this address are: search, cursor, limit'],
    ['?__proto__=a', 'The parameters of this address are: search, cursor, limit'],
    ['?cursor=', 'cursor must be the nextCursor of an earlier answer'],
    ['?cursor=***', 'cursor must be the nextCursor of an earlier answer'],
    ['?cursor=MmE', 'cursor must be the nextCursor of an earlier answer'],
    [`?search=${'a'.repeat(201)}`, 'search may have 200 characters'],
  ])('refuses %s', async (query, message) => {
    await startAndScan();
    const answer = await get(query);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.content.toString())).toEqual({
      status: 'error',
      code: 'bad_request',
      message,
    });
  });

  it('lists and counts what the token may open, and nothing else', async () => {
    for (const name of ['a/1', 'a/2', 'b/1', 'c']) put(`${name}.mp3`);
    await start();
    const { catalogue } = app.container;
    await until(() => catalogue.state().isComplete, 'the first scan is complete');
    const mayOpen = (id: string): boolean => id.startsWith('a/') || id === 'c';
    const query = { search: '', afterId: undefined, limit: 2, mayOpen };
    const first = await catalogue.list(query);
    expect(first.tracks.map(({ id }) => id)).toEqual(['a/1', 'a/2']);
    expect(first.total).toBe(3);
    const second = await catalogue.list({ ...query, afterId: 'a/2' });
    expect(second.tracks.map(({ id }) => id)).toEqual(['c']);
    expect(second.nextCursor).toBeNull();
  });

  it('says in its log line which route it was, and not what was searched', async () => {
    await startAndScan();
    await get('?search=secret');
    await until(() => app.log.some(({ route }) => route === '/api/stream/'), 'the line is out');
    expect(JSON.stringify(app.log)).not.toContain('secret');
  });
});

describe('the search', () => {
  beforeEach(async () => {
    put('Björk/Homogenic/01 Jóga.mp3', { title: 'Jóga', artist: 'Björk', album: 'Homogenic' });
    put('x/track.mp3', { title: 'Straße nach Łódź', artist: 'Ødegård' });
    put('x/opus.wav.mp3', { title: 'İstanbul ışık', artist: 'ПЁТР Чайковский' });
    put('日本/夜明け.mp3', { title: '夜明けの鈴', artist: 'ガクト' });
    await startAndScan();
  });

  it.each([
    ['bjork', ['Björk/Homogenic/01 Jóga']],
    ['BJÖRK joga', ['Björk/Homogenic/01 Jóga']],
    ['joga homogenic', ['Björk/Homogenic/01 Jóga']],
    ['  joga \u3000 01 ', ['Björk/Homogenic/01 Jóga']],
    ['jo\u0301ga', ['Björk/Homogenic/01 Jóga']],
    ['joga nothing', []],
    ['strasse', ['x/track']],
    ['STRAẞE', ['x/track']],
    ['lodz odegard', ['x/track']],
    ['istanbul', ['x/opus.wav']],
    ['ISTANBUL ISIK', ['x/opus.wav']],
    ['петр', ['x/opus.wav']],
    ['чайк', ['x/opus.wav']],
    ['夜明', ['日本/夜明け']],
    ['ｶﾞｸﾄ', ['日本/夜明け']],
    ['カクト', []],
    ['mp3', []],
    ['opus.wav', ['x/opus.wav']],
  ])('finds %s', async (words, expected) => {
    expect(await find(words)).toEqual(expected);
    expect((await list(`?search=${encodeURIComponent(words)}`)).total).toBe(expected.length);
  });

  it('finds all when nothing is searched for', async () => {
    expect(await find('')).toHaveLength(4);
    expect(await find('   ')).toHaveLength(4);
  });

  it('pages through what it has found', async () => {
    const first = await list('?search=x&limit=1'); // none: folders are not searched
    expect(first.total).toBe(0);
    const page = await list('?search=o&limit=2');
    expect(page.total).toBe(3);
    const next = await list(`?search=o&limit=2&cursor=${page.nextCursor}`);
    expect([...page.tracks, ...next.tracks].map(({ id }) => id)).toEqual(await find('o'));
    expect(next.nextCursor).toBeNull();
  });
});

describe('paging', () => {
  it('shows none twice and leaves none of the unchanged out while tracks come and go', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `t${String(i).padStart(2, '0')}`);
    for (const name of names) put(`${name}.mp3`);
    await startAndScan();
    const seen: string[] = [];
    let cursor: string | null = null;
    let round = 0;
    do {
      const page = await list(`?limit=7${cursor === null ? '' : `&cursor=${cursor}`}`);
      seen.push(...page.tracks.map(({ id }) => id));
      cursor = page.nextCursor;
      const last = page.tracks.at(-1)?.id ?? '';
      const { total } = page;
      // the very track of the cursor goes, one before it and one behind it come
      unlinkSync(join(root, `${last}.mp3`));
      put(`a${round}.mp3`);
      put(`t${29 - round}b.mp3`);
      if (cursor !== null) {
        await until(async () => (await list('?limit=1')).total === total + 1, 'the changes show');
        await until(async () => !(await ids()).includes(last), 'the track is gone');
      }
      round += 1;
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(names));
    expect([...seen].sort()).toEqual(seen);
  });
});

describe('the library', () => {
  it('is followed: tracks are added, changed, replaced, renamed and deleted', async () => {
    put('a.mp3', { title: 'One' });
    await startAndScan();
    put('sub/deep/b.mp3', { title: 'New' });
    await untilListed(['a', 'sub/deep/b']);
    writeFileSync(join(root, 'a.mp3'), taggedTrack({ title: 'Overwritten' }));
    await untilDescribed('a', 'Overwritten');
    writeFileSync(join(root, '.new'), taggedTrack({ title: 'Replaced' }));
    renameSync(join(root, '.new'), join(root, 'a.mp3'));
    await untilDescribed('a', 'Replaced');
    renameSync(join(root, 'sub/deep'), join(root, 'sub/other'));
    await untilListed(['a', 'sub/other/b']);
    put('sub/other/c.mp3'); // the renamed folder is watched under its new name
    await untilListed(['a', 'sub/other/b', 'sub/other/c']);
    rmSync(join(root, 'sub'), { recursive: true });
    await untilListed(['a']);
    unlinkSync(join(root, 'a.mp3'));
    await untilListed([]);
    expect(await ready()).toMatchObject({ httpStatus: 200, library: 'available' });
  });

  it('is followed where a folder takes the place of another', async () => {
    put('album/a.mp3', { title: 'First' });
    mkdirSync(join(parent, 'second'));
    writeFileSync(join(parent, 'second/a.mp3'), taggedTrack({ title: 'Second' }));
    await startAndScan();
    renameSync(join(root, 'album'), join(parent, 'first'));
    renameSync(join(parent, 'second'), join(root, 'album'));
    await untilDescribed('album/a', 'Second');
    put('album/b.mp3');
    await untilListed(['album/a', 'album/b']);
  });

  it('is followed where a folder is made anew at once, which may get the inode of the old one', async () => {
    put('album/a.mp3');
    await startAndScan();
    rmSync(join(root, 'album'), { recursive: true });
    put('album/b.mp3');
    await untilListed(['album/b']);
    put('album/c.mp3');
    await untilListed(['album/b', 'album/c']);
  });

  it('has of files that differ by extension the one that is opened', async () => {
    put('a.mp3', { title: 'MP3' });
    put('a.MP3', { title: 'Other' });
    put('a.mP3', { title: 'Nobody opens this' });
    put('b.mP3');
    put('c.txt');
    mkdirSync(join(root, 'd.mp3'));
    await startAndScan();
    expect(await ids()).toEqual(['a']);
    expect((await list()).tracks[0]?.title).toBe('MP3');
    unlinkSync(join(root, 'a.mp3'));
    await untilDescribed('a', 'Other');
    unlinkSync(join(root, 'a.MP3'));
    await untilListed([]);
  });

  it('has no hidden files and folders, and none whose ids nobody could ask for', async () => {
    put('.hidden.mp3');
    put('.hidden/a.mp3');
    put('back\\slash.mp3');
    put('control\u0001.mp3');
    put(' .mp3');
    put('good.mp3');
    await startAndScan();
    expect(await ids()).toEqual([' ', 'good']);
    await expectAllOpen();
  });

  it('follows links that stay inside, and no loops', async () => {
    put('album/a.mp3');
    mkdirSync(join(parent, 'outside'));
    writeFileSync(join(parent, 'outside/secret.mp3'), taggedTrack());
    symlinkSync(join(root, 'album'), join(root, 'linked'));
    symlinkSync(join(root, 'album/a.mp3'), join(root, 'single.mp3'));
    symlinkSync(join(parent, 'outside'), join(root, 'out'));
    symlinkSync(join(parent, 'outside/secret.mp3'), join(root, 'secret.mp3'));
    symlinkSync(root, join(root, 'album/loop'));
    symlinkSync('self', join(root, 'self'));
    symlinkSync('nowhere.mp3', join(root, 'dangling.mp3'));
    await startAndScan();
    expect(await ids()).toEqual(['album/a', 'linked/a', 'single']);
    await expectAllOpen();
  });

  it('has one id for names in either normal form, and it opens', async () => {
    put(`${'Ä'.normalize('NFD')}/${'é'.normalize('NFD')}1.mp3`, { title: 'decomposed' });
    put(`${'Ä'.normalize('NFC')}/${'é'.normalize('NFC')}1.mp3`, { title: 'composed' });
    put(`${'Ä'.normalize('NFC')}/2.mp3`);
    put(`${'Ä'.normalize('NFD')}/3.mp3`);
    // half composed: opens only as it is
    put('e\u0301\u00e9.mp3');
    await startAndScan();
    const folder = 'Ä'.normalize('NFC');
    expect(await ids()).toEqual([
      'e\u0301\u00e9',
      `${folder}/2`,
      `${folder}/3`,
      `${folder}/${'é1'.normalize('NFC')}`,
    ]);
    expect((await list()).tracks.at(-1)?.title).toBe('composed');
    await expectAllOpen();
    rmSync(join(root, folder), { recursive: true });
    await untilDescribed(`${folder}/${'é1'.normalize('NFC')}`, 'decomposed');
  });

  it('leaves out what cannot be read, until it can', async () => {
    await asNobody(async () => {
      put('closed/a.mp3');
      put('open/b.mp3');
      put('open/c.mp3');
      chmodSync(join(root, 'closed'), 0);
      chmodSync(join(root, 'open/c.mp3'), 0);
      await startAndScan(NO_REDIS);
      expect(await ids()).toEqual(['open/b']);
      chmodSync(join(root, 'open/c.mp3'), 0o644);
      await untilListed(['open/b', 'open/c']);
      chmodSync(join(root, 'closed'), 0o755);
      await untilListed(['closed/a', 'open/b', 'open/c']);
      chmodSync(join(root, 'open'), 0);
      await untilListed(['closed/a']);
      chmodSync(join(root, 'open'), 0o755);
      await untilListed(['closed/a', 'open/b', 'open/c']);
    });
  });

  it('is watched by its folders, each once, and never by its files', async () => {
    for (const folder of ['a', 'a/b', 'c']) {
      for (let i = 0; i < 5; i += 1) put(`${folder}/${i}.mp3`);
    }
    const watched: string[] = [];
    const counting: WatchFolder = (path, onChange) => {
      watched.push(path);
      return watch(path, { persistent: false }).on('change', onChange);
    };
    await startAndScan({ RESCAN_SECONDS: '1' }, { library: createLocalLibrary(root, counting) });
    const scans = (): number =>
      app.log.filter(({ message }) => message === 'the library was looked through').length;
    await until(() => scans() >= 2, 'two further scans');
    expect(watched.sort()).toEqual([root, ...['a', 'a/b', 'c'].map((path) => join(root, path))]);
  });

  it('is read anew where no folder can be watched, and says so once', async () => {
    put('a/1.mp3');
    put('b/1.mp3');
    const exhausted = (): never => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    };
    await startAndScan({ RESCAN_SECONDS: '1' }, { library: createLocalLibrary(root, exhausted) });
    expect(await ready()).toMatchObject({ status: 'ok', catalogue: { watching: false } });
    put('b/2.mp3');
    rmSync(join(root, 'a'), { recursive: true });
    await untilListed(['b/1', 'b/2']);
    put('c/3.mp3');
    await untilListed(['b/1', 'b/2', 'c/3']);
    const warnings = app.log.filter(({ message }) => String(message).includes('watched'));
    expect(warnings).toHaveLength(1);
  });

  it('is not parsed again while it is the same', async () => {
    put('a/1.mp3');
    put('a/2.mp3');
    const parsed: number[] = [];
    await startAndScan(
      { RESCAN_SECONDS: '1', REDIS_URL: '' },
      {
        tagReader: {
          ...tagReader,
          readBehind(track, format) {
            parsed.push(track.sizeBytes);
            return tagReader.readBehind(track, format);
          },
        },
      },
    );
    expect(parsed).toHaveLength(2);
    put('a/3.mp3'); // the folder is read again
    await untilListed(['a/1', 'a/2', 'a/3']);
    const scans = (): number =>
      app.log.filter(({ message }) => message === 'the library was looked through').length;
    await until(() => scans() >= 2, 'two further scans');
    expect(parsed).toHaveLength(3);
  });
});

describe('GET /health/ready', () => {
  it('is 503 before the first look at the library, then 200 and the list grows', async () => {
    put('a.mp3', { title: 'A' });
    put('b.mp3', { title: 'B' });
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    let reads = 0;
    app = await startApp(
      { AUDIO_FILES_DIR: root, REDIS_URL: '' },
      {
        tagReader: {
          ...tagReader,
          async readBehind(track, format) {
            reads += 1;
            if (reads > 1) await held;
            return tagReader.readBehind(track, format);
          },
        },
      },
    );
    expect(await ready()).toEqual({
      httpStatus: 503,
      status: 'starting',
      draining: false,
      library: 'unknown',
      redis: 'none',
      catalogue: {
        state: 'scanning',
        tracks: 0,
        found: 0,
        scanned: 0,
        folders: 0,
        watching: true,
      },
    });
    app.container.catalogue.start();
    await until(async () => (await ready()).catalogue.tracks === 1, 'one is described');
    expect(await ready()).toMatchObject({
      httpStatus: 200,
      status: 'ok',
      catalogue: { state: 'scanning', tracks: 1, found: 2, folders: 1 },
    });
    expect(await list()).toMatchObject({ complete: false, total: 1 });
    goOn();
    await until(async () => (await ready()).catalogue.state === 'ready', 'the scan is complete');
    expect(await list()).toMatchObject({ complete: true, total: 2 });
    expect(app.log.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        'first scan of the library begins',
        'first scan of the library is complete',
      ]),
    );
  });

  it('is 503 while the library is missing, and the list appears with it', async () => {
    rmSync(root, { recursive: true });
    await start({ RESCAN_SECONDS: '1' });
    await until(async () => (await ready()).status === 'unavailable', 'it is known to be missing');
    expect((await ready()).httpStatus).toBe(503);
    const answer = await get();
    expect([answer.status, codeOf(answer)]).toEqual([503, 'library_unavailable']);
    put('a.mp3');
    await untilListedAfterAbsence(['a']);
    expect(await ready()).toMatchObject({ httpStatus: 200, library: 'available' });
  });

  it('is 503 while the library cannot be read, and the list appears when it can', async () => {
    await asNobody(async () => {
      put('a.mp3');
      for (const mode of [0, 0o444]) {
        chmodSync(root, mode);
        await start(NO_REDIS);
        await until(async () => (await ready()).library !== 'unknown', 'it was looked at');
        expect(await ready()).toMatchObject({ httpStatus: 503, library: 'unavailable' });
        const answer = await get();
        expect([answer.status, codeOf(answer)]).toEqual([503, 'library_unavailable']);
        chmodSync(root, 0o755);
        await untilListedAfterAbsence(['a']);
        expect(await ready()).toMatchObject({ httpStatus: 200, library: 'available' });
        await app.close();
      }
      await startAndScan(NO_REDIS);
      chmodSync(root, 0);
      await until(async () => (await ready()).httpStatus === 503, 'it is missed');
      expect(await ids()).toEqual(['a']);
      chmodSync(root, 0o755);
      put('b.mp3');
      await untilListed(['a', 'b']);
    });
  });

  async function untilListedAfterAbsence(expected: readonly string[]): Promise<void> {
    await until(async () => (await get()).status === 200, 'there is a list');
    await untilListed(expected);
  }

  it('is 503 when the library goes, whose list is kept and is right when it returns', async () => {
    put('a.mp3');
    put('sub/b.mp3');
    await startAndScan({ RESCAN_SECONDS: '1' });
    renameSync(root, join(parent, 'away'));
    await until(async () => (await ready()).httpStatus === 503, 'it is missed');
    expect(await ids()).toEqual(['a', 'sub/b']);
    mkdirSync(root); // where a volume was mounted an empty folder is left
    await until(async () => (await ready()).httpStatus === 503, 'it is still missed');
    expect(await ids()).toEqual(['a', 'sub/b']);
    rmSync(root, { recursive: true });
    renameSync(join(parent, 'away'), root);
    linkSync(join(root, 'a.mp3'), join(root, 'c.mp3'));
    await until(async () => (await ready()).httpStatus === 200, 'it is back');
    await untilListed(['a', 'c', 'sub/b']);
    put('sub/d.mp3'); // its folders are watched again
    await untilListed(['a', 'c', 'sub/b', 'sub/d']);
  });

  it('is 503 when the process drains, and needs no token and no quota', async () => {
    put('a.mp3');
    await startAndScan();
    expect((await ready()).httpStatus).toBe(200);
    app.container.readiness.drain();
    expect(await ready()).toMatchObject({
      httpStatus: 503,
      status: 'unavailable',
      draining: true,
      library: 'available',
    });
    const { status, headers } = await send(app.port, '/health/ready', { method: 'POST' });
    expect([status, headers.allow]).toEqual([405, 'GET, HEAD, OPTIONS']);
  });

  it('is 200 without Redis, and says so', async () => {
    await startAndScan({ REDIS_URL: 'redis://127.0.0.1:1' });
    expect(await ready()).toMatchObject({ httpStatus: 200, redis: 'down' });
  });
});
