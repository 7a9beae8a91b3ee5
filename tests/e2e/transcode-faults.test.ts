import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request, type ClientRequest } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ffmpeg } from '../support/audio-files';
import { childrenOf, readersBelow, writeFakeFfmpeg } from '../support/fake-ffmpeg';
import { holdDownload } from '../support/held-download';
import { createHeldFfmpeg } from '../support/held-ffmpeg';
import { parseJson, send, type Answer } from '../support/http-client';
import { startService, stopServices, type ServiceProcess } from '../support/service-process';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

const headers = { Authorization: bearer() };
const SONG = '/api/stream/song?format=mp3&bitrate=128';
/** More than can be encoded while a test looks. */
const BOOK = '/api/stream/book?format=mp3&bitrate=320';

let library: string;
let clean: Buffer;

beforeAll(async () => {
  library = createTempFolder();
  const noise = (seconds: number) => ['-f', 'lavfi', '-i', `anoisesrc=d=${seconds}:a=0.3:seed=7`];
  await ffmpeg([...noise(60), '-ac', '2', join(library, 'song.flac')]);
  await ffmpeg([...noise(1_200), '-ac', '1', '-ar', '22050', join(library, 'book.wav')]);
  const service = await startService({ AUDIO_FILES_DIR: library });
  clean = (await get(service, SONG)).content;
  await stopServices();
}, 60_000);

afterEach(async () => {
  await stopServices();
  await until(() => readersBelow(library).length === 0, 'no ffmpeg is left');
});
afterAll(removeTempFolders);

async function start(
  env: Readonly<Record<string, string>> = {},
  cache = createTempFolder(),
): Promise<ServiceProcess> {
  const path = { PATH: process.env.PATH ?? '' };
  const service = await startService({
    ...path,
    AUDIO_FILES_DIR: library,
    CACHE_DIR: cache,
    ...env,
  });
  // it listens before it knows its ffmpeg; twice, for two workers take connections by turns
  for (let worker = 0; worker < 2; worker += 1) {
    await send(service.port, SONG, { method: 'HEAD', headers });
  }
  return service;
}

function get(service: ServiceProcess, path: string, subject?: string): Promise<Answer> {
  return send(service.port, path, {
    headers: subject === undefined ? headers : { Authorization: bearer({ sub: subject }) },
  });
}

/** Programs of a service in whatever state, until they are waited for. */
function countPrograms({ pid }: ServiceProcess): number {
  return childrenOf(pid).length;
}

describe('a listener who leaves', () => {
  it('takes their ffmpeg with them within a second', async () => {
    const service = await start({ TRANSCODE_JOBS: '10' });
    await get(service, '/api/stream/book/metadata'); // read once, or all leave before it is
    const bitrates = [64, 96, 128, 160, 192, 256, 320];
    const clients = Array.from({ length: 10 }, (_, index): ClientRequest => {
      const bitrate = bitrates[index % bitrates.length];
      const query = `format=mp3&bitrate=${bitrate}&channels=${index < 7 ? 1 : 2}`;
      const path = `/api/stream/book?${query}`;
      const client = request({
        host: '127.0.0.1',
        port: service.port,
        path,
        headers,
        agent: false,
      });
      client.on('error', () => undefined);
      client.on('response', (response) => response.on('error', () => undefined).resume());
      client.end();
      return client;
    });
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, countPrograms(service))), 5).unref();
    const leavings = clients.map(async (client, index) => {
      await delay(Math.random() * index * 100); // some before the first byte
      if (index === clients.length - 1) await until(() => most > 0, 'there is an ffmpeg to end');
      client.destroy();
    });
    await Promise.all(leavings);
    clearInterval(watch);
    await until(() => countPrograms(service) === 0, 'no ffmpeg is left', 1_000);
    expect((await get(service, '/api/stream/song')).status).toBe(200);
    await service.logged(
      ({ path, outcome }) => path === '/api/stream/song' && outcome === 'complete',
    );
    expect(service.log.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
  });

  it('leaves the others theirs', async () => {
    const service = await start();
    const leaver = await holdDownload(service.port, SONG, { headers });
    const stayer = get(service, SONG);
    leaver.response.destroy();
    expect((await stayer).content.equals(clean)).toBe(true);
  });
});

describe('a service that is killed while it transcodes', () => {
  it('leaves no ffmpeg, no half file, and nothing wrong is served afterwards', async () => {
    const cache = createTempFolder();
    for (let round = 0; round < 12; round += 1) {
      const service = await start({}, cache);
      expect(readdirSync(cache).filter((name) => name.endsWith('.part'))).toEqual([]);
      for (const name of readdirSync(cache)) {
        expect(readFileSync(join(cache, name)).equals(clean)).toBe(true);
        rmSync(join(cache, name));
      }
      const answer = get(service, SONG).catch(() => undefined);
      await delay(Math.random() * 900);
      service.signal('SIGKILL');
      await service.exit;
      await until(() => readersBelow(library).length === 0, 'no ffmpeg is left', 2_000);
      const received = await answer;
      if (received) expect(received.content.equals(clean)).toBe(true);
    }
    const service = await start({}, cache);
    for (let play = 0; play < 2; play += 1) {
      const { status, content } = await get(service, SONG);
      expect(status).toBe(200);
      expect(content.equals(clean)).toBe(true);
    }
    // renamed after the last byte has gone out
    await until(() => !readdirSync(cache).some((name) => name.endsWith('.part')), 'it is kept');
    expect(readdirSync(cache)).toHaveLength(1);
  }, 120_000);

  it('leaves no ffmpeg where the system cannot tie its life to ours either', async () => {
    const bin = createTempFolder();
    const path = execFileSync('sh', ['-c', 'command -v ffmpeg']).toString().trim();
    symlinkSync(path, join(bin, 'ffmpeg'));
    const service = await start({ PATH: bin });
    const download = await holdDownload(service.port, BOOK, { headers });
    expect(readersBelow(library)).toHaveLength(1);
    service.signal('SIGKILL');
    await until(() => readersBelow(library).length === 0, 'no ffmpeg is left');
    await expect(download.finish()).rejects.toThrow();
  });
});

describe('many who want different transcodes', () => {
  it('are served within the slots or turned away, and originals go on', async () => {
    const service = await start({ TRANSCODE_JOBS: '2', RATE_LIMIT_MAX: '1000' });
    const original = readFileSync(join(library, 'song.flac'));
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, countPrograms(service))), 5).unref();
    const asked = Array.from({ length: 100 }, (_, index) =>
      get(service, `${SONG}&start=${index % 50}&channels=${index < 50 ? 1 : 2}`, `s${index % 20}`),
    );
    for (let play = 0; play < 10; play += 1) {
      const { status, content } = await get(service, '/api/stream/song');
      expect(status).toBe(200);
      expect(content.equals(original)).toBe(true);
    }
    const answers = await Promise.all(asked);
    clearInterval(watch);
    expect(most).toBe(2);
    const served = answers.filter(({ status }) => status === 200);
    expect(served.length).toBeGreaterThanOrEqual(2);
    for (const { content, headers } of served) {
      expect(content.length).toBe(Number(headers['content-length']));
    }
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.length).toBeGreaterThan(50);
    for (const answer of refused) {
      expect(answer.status).toBe(503);
      expect(answer.headers['retry-after']).toBe('5');
      expect(parseJson(answer)).toMatchObject({ code: 'overloaded' });
    }
  });
});

describe('a cache without room', () => {
  const mounted: string[] = [];
  const mountSmall = (): string => {
    const folder = createTempFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], { stdio: 'pipe' });
    mounted.push(folder);
    return folder;
  };
  const ways: (readonly [string, () => string])[] = [
    [
      'a file in its place',
      () => {
        const file = join(createTempFolder(), 'cache');
        writeFileSync(file, 'no folder');
        return file;
      },
    ],
  ];
  // only root can, and not everywhere
  const trial = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']);
  if (trial.status === 0) ways.push(['256 kB', mountSmall]);

  afterEach(async () => {
    await stopServices();
    for (const folder of mounted.splice(0)) execFileSync('umount', [folder]);
  });

  it.each(ways)('costs no listener anything: %s', async (_what, makeFolder) => {
    const cache = makeFolder();
    const service = await start({}, cache);
    const answers = await Promise.all([get(service, SONG), get(service, SONG)]);
    for (const { status, content } of answers) {
      expect(status).toBe(200);
      expect(content.equals(clean)).toBe(true);
    }
    await service.logged('what is made of tracks cannot be kept');
    await until(() => countPrograms(service) === 0, 'no ffmpeg is left');
    if (mounted.includes(cache)) {
      await until(() => readdirSync(cache).length === 0, 'nothing partial is left');
    }
    const range = await send(service.port, SONG, { headers: { ...headers, Range: 'bytes=-99' } });
    expect(range.status).toBe(206);
    expect(range.content.equals(clean.subarray(-99))).toBe(true);
  });
});

describe('a service that is told to stop while it transcodes', () => {
  it('lets the listener have the rest, and leaves no ffmpeg', async () => {
    const service = await start();
    const download = await holdDownload(service.port, SONG, { headers });
    service.signal('SIGTERM');
    await service.logged('stopping');
    expect((await download.finish()).equals(clean)).toBe(true);
    expect(await service.exit).toEqual({ code: 0, signal: null });
    expect(readersBelow(library)).toEqual([]);
    expect(await service.logged('stopped')).toMatchObject({ connectionsCut: 0 });
  });

  it('ends what takes longer than DRAIN_TIMEOUT_SECONDS', async () => {
    const cache = createTempFolder();
    const service = await start({ DRAIN_TIMEOUT_SECONDS: '1' }, cache);
    const download = await holdDownload(service.port, BOOK, { headers });
    service.signal('SIGTERM');
    expect(await service.exit).toEqual({ code: 0, signal: null });
    expect(readersBelow(library)).toEqual([]);
    expect(readdirSync(cache)).toEqual([]);
    await expect(download.finish()).rejects.toThrow();
  });

  it('takes a listener whom it cuts for no failure of the track', async () => {
    const held = createHeldFfmpeg({ firstBytes: 60_000 });
    const service = await start({ DRAIN_TIMEOUT_SECONDS: '1', FFMPEG_PATH: held.path });
    held.hold();
    try {
      const download = await holdDownload(service.port, BOOK, { headers });
      const cut = download.finish().catch(() => 'cut');
      service.signal('SIGTERM');
      expect(await service.exit).toEqual({ code: 0, signal: null });
      expect(await cut).toBe('cut');
    } finally {
      held.release();
    }
    expect(service.log.filter(({ level }) => level === 'error')).toEqual([]);
    expect(service.log.find(({ path }) => path === '/api/stream/book')).toMatchObject({
      outcome: 'client-left',
    });
  });
});

describe('several processes', () => {
  it('divide the slots, and find what the other has made', async () => {
    const [runs, bin] = [createTempFolder(), createTempFolder()];
    const path = execFileSync('sh', ['-c', 'command -v ffmpeg']).toString().trim();
    // a folder for each run: the bounds forbid it to write files
    const counted = writeFakeFfmpeg(bin, `mkdir ${runs}/$$; exec ${path} "$@"`);
    const env = { FFMPEG_PATH: counted, WORKERS: '2', TRANSCODE_JOBS: '2' };
    const service = await start(env);
    const workers = childrenOf(service.pid).map(({ pid }) => pid);
    expect(workers).toHaveLength(2);
    const most = new Map<number, number>();
    const watch = setInterval(() => {
      for (const worker of workers) {
        most.set(worker, Math.max(most.get(worker) ?? 0, childrenOf(worker).length));
      }
    }, 5).unref();
    const asked = [0, 1, 2, 3].map((seconds) => get(service, `${SONG}&start=${seconds}`));
    for (const { status } of await Promise.all(asked)) expect(status).toBe(200);
    clearInterval(watch);
    expect([...most.values()]).toEqual([1, 1]);
    await until(() => readersBelow(library).length === 0, 'all is made and kept');

    const before = readdirSync(runs).length;
    for (let play = 0; play < 6; play += 1) {
      expect((await get(service, `${SONG}&start=${play % 4}`)).status).toBe(200);
    }
    expect(readdirSync(runs)).toHaveLength(before);
  });
});

describe('an ffmpeg that misbehaves', () => {
  let bin: string;

  beforeAll(() => {
    bin = createTempFolder();
  });

  it.each([
    ['says that it cannot decode', 'echo Invalid data >&2; exit 1', 422, 'track_undecodable'],
    ['gives nothing', 'exit 0', 422, 'track_undecodable'],
    ['crashes', 'kill -SEGV $$', 503, 'track_unavailable'],
  ])('is told before any other status: it %s', async (_what, body, status, code) => {
    const service = await start({ FFMPEG_PATH: writeFakeFfmpeg(bin, body) });
    for (const query of ['format=mp3', 'format=aac']) {
      const answer = await get(service, `/api/stream/song?${query}`);
      expect(answer.status).toBe(status);
      expect(parseJson(answer)).toMatchObject({ code });
    }
    expect(countPrograms(service)).toBe(0);
  });

  it('is not mistaken for a bad track when it is not there any more', async () => {
    const path = writeFakeFfmpeg(bin, 'printf 1');
    const service = await start({ FFMPEG_PATH: path });
    rmSync(path);
    const answer = await get(service, SONG);
    expect(parseJson(answer)).toMatchObject({ code: 'track_unavailable' });
    expect(answer.headers['retry-after']).toBe('5');
  });

  it.each([
    ['of known length', SONG, ''],
    ['of unknown length', '/api/stream/song?format=flac', "printf 'fLaC\\200\\000\\000\\042'; "],
  ])('cuts an answer %s when it dies half-way, and keeps nothing', async (_what, path, head) => {
    const cache = createTempFolder();
    const body = `${head}head -c 100000 /dev/zero; sleep 0.2; exit 1`;
    const service = await start({ FFMPEG_PATH: writeFakeFfmpeg(bin, body) }, cache);
    await expect(get(service, path)).rejects.toThrow();
    await until(() => countPrograms(service) === 0, 'it is gone');
    await until(() => readdirSync(cache).length === 0, 'its draft is gone');
  });

  it('costs a listener of the original nothing when there is none', async () => {
    const service = await start({ FFMPEG_PATH: join(bin, 'nothing') });
    const answer = await get(service, SONG);
    expect(answer.status).toBe(501);
    expect(parseJson(answer)).toMatchObject({ code: 'ffmpeg_unavailable' });
    expect((await get(service, '/api/stream/song')).status).toBe(200);
  });

  it('is started by no HEAD', async () => {
    const runs = createTempFolder();
    const path = writeFakeFfmpeg(bin, `mkdir ${runs}/$$; exit 1`);
    const service = await start({ FFMPEG_PATH: path });
    const answer = await send(service.port, SONG, { method: 'HEAD', headers });
    expect(answer.status).toBe(200);
    expect(Number(answer.headers['content-length'])).toBe(clean.length);
    await delay(200);
    expect(readdirSync(runs)).toEqual([]);
  });
});

describe('an ffmpeg that hangs when it is asked what it is', () => {
  it('delays neither listening nor originals', async () => {
    const path = join(createTempFolder(), 'ffmpeg');
    writeFileSync(path, '#!/bin/sh\nexec sleep 1000\n', { mode: 0o755 });
    const service = await startService({ AUDIO_FILES_DIR: library, FFMPEG_PATH: path });
    const startedAt = performance.now();
    expect((await get(service, '/health')).status).toBe(200);
    expect((await get(service, '/api/stream/song')).status).toBe(200);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    const answer = await get(service, SONG);
    expect(parseJson(answer)).toMatchObject({ code: 'ffmpeg_unavailable' });
  });

  it('is waited for where only the machine is slow', async () => {
    const path = join(createTempFolder(), 'ffmpeg');
    // each of two questions, asked at the same time
    const script = `#!/bin/sh\ncase "$*" in *-version*|*-encoders*) sleep 6;; esac\nexec ffmpeg "$@"\n`;
    writeFileSync(path, script, { mode: 0o755 });
    const service = await startService({
      AUDIO_FILES_DIR: library,
      CACHE_DIR: createTempFolder(),
      FFMPEG_PATH: path,
    });
    expect((await get(service, SONG)).status).toBe(200);
    expect(await service.logged('ffmpeg found')).toMatchObject({
      ffmpegVersion: expect.any(String) as string,
    });
  });
});

describe('file calls', () => {
  const countThreads = ({ pid }: ServiceProcess): number => readdirSync(`/proc/${pid}/task`).length;

  it('have eight threads, so that a few that hang do not stop the others', async () => {
    // of nothing, or one or two more read tags
    const empty = { AUDIO_FILES_DIR: createTempFolder() };
    const [usual, four] = await Promise.all([
      start(empty),
      start({ ...empty, UV_THREADPOOL_SIZE: '4' }),
    ]);
    for (const service of [usual, four]) {
      expect((await get(service, '/api/stream/song')).status).toBe(404);
    }
    expect(countThreads(usual) - countThreads(four)).toBe(4);
  });

  it('have them in every worker', async () => {
    const service = await start({ WORKERS: '2' });
    for (const { pid } of childrenOf(service.pid)) {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
      expect(environment).toContain('UV_THREADPOOL_SIZE=8');
    }
  });
});
