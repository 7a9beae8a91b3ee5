import { once } from 'node:events';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { holdDownload, type HeldDownload } from '../support/held-download';
import { send, type Answer } from '../support/http-client';
import { patternedBytes } from '../support/patterned-bytes';
import { openRaw, formatRequest } from '../support/raw-connection';
import { findFreePort, startRedis, stopRedis } from '../support/redis-process';
import {
  runService,
  startService,
  stopServices,
  writePreload,
  type LogLine,
  type ServiceProcess,
} from '../support/service-process';
import { bearer, TEST_SECRET } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

/** More than the buffers of both kernels hold, so that the sending is still under way. */
const SONG_BYTES = 24 * 1024 * 1024;
const song = patternedBytes(SONG_BYTES);
const SONG = '/api/stream/song';
const TRACKS = 150;
/** Ends a test that hangs: where eight programs want each core a worker takes 12 s to start. */
const START_MS = 45_000;
const AWAY = 'redis is away: limits and caches are local';
const IN_USE = 'redis is in use: limits and caches are shared';
const library = createTempFolder();

beforeAll(() => {
  writeFileSync(join(library, 'song.mp3'), song);
  for (let i = 0; i < TRACKS; i += 1) {
    writeFileSync(join(library, `track-${i}.mp3`), patternedBytes(1_000, i));
  }
});
afterEach(async () => {
  await stopServices();
  await stopRedis();
});
afterAll(removeTempFolders);

function startWorkers(env: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
  return startService({
    WORKERS: '2',
    AUDIO_FILES_DIR: library,
    RATE_LIMIT_WINDOW_MS: '120000',
    // what a failed test leaves open must not hold up the next
    DRAIN_TIMEOUT_SECONDS: '10',
    ...env,
  });
}

function linesOf({ log }: ServiceProcess, message: string): readonly LogLine[] {
  return log.filter((line) => line.message === message);
}

/** Process ids by number of the worker. */
function pidsOf(service: ServiceProcess): ReadonlyMap<number, number> {
  return new Map(
    linesOf(service, 'worker started').map(({ worker, pid }) => [Number(worker), Number(pid)]),
  );
}

function signalWorker(service: ServiceProcess, worker: number, name: NodeJS.Signals): void {
  process.kill(pidsOf(service).get(worker)!, name);
}

function untilStarted(service: ServiceProcess, worker: number): Promise<LogLine> {
  const isIt = (line: LogLine): boolean =>
    line.message === 'worker started' && line.worker === worker;
  return service.logged(isIt, START_MS);
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

type Listener = (track: number | string) => Promise<Answer>;

/** Somebody nobody else has met, each request on a connection of its own. */
function createListener({ port }: ServiceProcess): Listener {
  const headers = { Authorization: bearer() };
  return (track) => send(port, `/api/stream/track-${track}`, { headers });
}

async function statusesOf(answers: readonly Promise<Answer>[]): Promise<number[]> {
  return (await Promise.all(answers)).map(({ status }) => status);
}

/** Opens tracks at the same time, and counts those that were played. */
async function countPlayed(listener: Listener, first: number, count: number): Promise<number> {
  const tracks = Array.from({ length: count }, (_, i) => first + i);
  const statuses = await statusesOf(tracks.map(listener));
  expect(statuses.every((status) => status === 200 || status === 429)).toBe(true);
  return statuses.filter((status) => status === 200).length;
}

/** As many downloads as were asked for, by turns of all workers. */
function holdSongs({ port }: ServiceProcess, count: number): Promise<readonly HeldDownload[]> {
  const headers = { Authorization: bearer() };
  return Promise.all(Array.from({ length: count }, () => holdDownload(port, SONG, { headers })));
}

async function expectWhole(downloads: readonly HeldDownload[]): Promise<void> {
  const contents = await Promise.all(downloads.map((download) => download.finish()));
  for (const content of contents) expect(content.equals(song)).toBe(true);
}

interface Failure {
  readonly code: string;
  /** whether some of an answer had come */
  readonly isCut: boolean;
}

/** Listeners who open tracks without a pause until told to stop, on connections they keep. */
function applyLoad({ port }: ServiceProcess): {
  readonly count: () => number;
  stop(): Promise<readonly Failure[]>;
} {
  const agent = new Agent({ keepAlive: true });
  const failures: Failure[] = [];
  let isStopped = false;
  let answers = 0;
  const listen = async (): Promise<void> => {
    const headers = { Authorization: bearer() };
    for (let turn = 0; !isStopped; turn += 1) {
      let isBegun = false;
      try {
        const path = `/api/stream/track-${turn % TRACKS}`;
        const download = await holdDownload(port, path, { headers, agent });
        isBegun = true;
        const content = await download.finish();
        expect(content).toEqual(patternedBytes(1_000, turn % TRACKS));
        answers += 1;
      } catch (error) {
        failures.push({ code: (error as { code?: string }).code ?? String(error), isCut: isBegun });
        // a service that is gone answers faster than it is worth asking
        if (failures.length > 1_000) isStopped = true;
      }
    }
  };
  const listeners = Array.from({ length: 8 }, listen);
  return {
    count: () => answers,
    async stop() {
      isStopped = true;
      await Promise.all(listeners);
      agent.destroy();
      return failures;
    },
  };
}

/** What is done to a process of the service before its own code runs. */
function preload(code: string): { readonly NODE_OPTIONS: string } {
  const file = writePreload(`if (/worker\\.js$/.test(process.argv[1] ?? '')) {\n${code}\n}\n`);
  return { NODE_OPTIONS: `--require=${file}` };
}

describe('a service with WORKERS', () => {
  it('says once where all of its workers listen, and has all of them answer', async () => {
    const service = await startWorkers();
    expect(linesOf(service, 'listening')).toEqual([
      expect.objectContaining({
        level: 'info',
        address: '127.0.0.1',
        port: service.port,
        env: 'development',
        workers: 2,
      }),
    ]);
    expect([...pidsOf(service).keys()].sort()).toEqual([1, 2]);

    await statusesOf(Array.from({ length: 10 }, () => send(service.port, '/nothing')));
    await until(() => linesOf(service, 'request').length === 10, 'all requests are in the log');
    const workers = linesOf(service, 'request').map(({ worker }) => worker);
    expect(new Set(workers)).toEqual(new Set([1, 2]));
    expect(service.stderr).toBe('');
  });

  it('listens on the port it was given', async () => {
    const port = await findFreePort();
    const service = await startWorkers({ PORT: `${port}` });
    expect(service.port).toBe(port);
    expect((await send(port, '/health')).status).toBe(200);
  });

  it('auto has one worker for each core', async () => {
    const service = await startWorkers({ WORKERS: 'auto' });
    const cores = Math.min(availableParallelism(), 256);
    expect((await service.logged('listening')).workers).toBe(cores === 1 ? undefined : cores);
  });

  it('is the single process it always was when there is one', async () => {
    const service = await startWorkers({ WORKERS: '1' });
    expect(await service.logged('listening')).not.toHaveProperty('workers');
    await send(service.port, '/nothing');
    expect(await service.logged('request')).not.toHaveProperty('worker');
    expect(linesOf(service, 'worker started')).toEqual([]);
  });

  it('warns once of a missing library', async () => {
    const service = await startWorkers({ AUDIO_FILES_DIR: join(library, 'nothing') });
    expect(service.log.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('writes whole lines, whichever worker they come from', async () => {
    const service = await startWorkers();
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    const requests = Array.from({ length: 1_500 }, (_, i) =>
      holdDownload(service.port, `/${i}-${'x'.repeat(i * 2)}`, { agent }),
    );
    for (const request of requests) await (await request).finish();
    await until(() => linesOf(service, 'request').length === 1_500, 'all lines are there');
    agent.destroy();

    expect(service.log.filter((line) => 'notJson' in line)).toEqual([]);
    const paths = linesOf(service, 'request').map(({ path }) => String(path).split('-')[0]);
    expect(new Set(paths).size).toBe(1_500);
  });
});

describe('a service that cannot start', () => {
  it.each([
    ['WORKERS', 'many', {}],
    ['WORKERS', '257', {}],
    ['PORT', '3005x', { WORKERS: '2' }],
  ])('exits with 78 when %s is %s, and starts no worker', async (name, value, rest) => {
    const run = await runService({ JWT_SECRET: TEST_SECRET, ...rest, [name]: value });
    expect(run).toMatchObject({ code: 78, stdout: '' });
    expect(run.stderr).toMatch(new RegExp(`^${name} [^\\n]+\\n$`));
  });

  it.each(['127.0.0.1', 'localhost'])(
    'says so and exits with a failure when its port on %s is taken',
    async (host) => {
      const holder = createServer().listen(0, host);
      await once(holder, 'listening');
      const { port } = holder.address() as AddressInfo;
      const run = await runService({
        WORKERS: '2',
        HOST: host,
        PORT: `${port}`,
        JWT_SECRET: TEST_SECRET,
        REDIS_URL: '',
        LOG_FORMAT: 'json',
      });
      holder.close();
      expect(run).toMatchObject({ code: 1, stderr: '' });
      const lines = run.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as LogLine);
      expect(lines.filter(({ message }) => message === 'cannot listen')).toEqual([
        expect.objectContaining({
          level: 'error',
          host,
          port,
          reason: expect.stringContaining('EADDRINUSE') as string,
        }),
      ]);
      expect(lines.at(-1)).toMatchObject({ message: 'cannot listen' });
    },
  );
});

describe('limits without Redis', () => {
  it('are exactly what they are for one process when they are small', async () => {
    const service = await startWorkers({ RATE_LIMIT_MAX: '9' });
    expect(await countPlayed(createListener(service), 0, 40)).toBe(9);
    const later = createListener(service);
    for (let track = 0; track < 9; track += 1) expect((await later(track)).status).toBe(200);
    const refused = await later(9);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await later(10)).status).toBe(429);
  });

  it('pass a tenth at the most for each further process when they are large', async () => {
    const service = await startWorkers({ RATE_LIMIT_MAX: '100' });
    const played = await countPlayed(createListener(service), 0, TRACKS);
    expect(played).toBeGreaterThanOrEqual(100);
    expect(played).toBeLessThanOrEqual(110);
  });

  it('count failed authentications together', async () => {
    const service = await startWorkers({ RATE_LIMIT_AUTH_FAILURES: '9' });
    const statuses = await statusesOf(
      Array.from({ length: 30 }, () =>
        send(service.port, SONG, { headers: { Authorization: 'Bearer nonsense' } }),
      ),
    );
    expect(statuses.filter((status) => status === 401)).toHaveLength(9);
    expect(statuses.filter((status) => status === 429)).toHaveLength(21);
  });

  it('let a listener go on at any worker with what one has admitted, for nothing', async () => {
    const service = await startWorkers({ RATE_LIMIT_MAX: '2' });
    const listener = createListener(service);
    expect((await listener(0)).headers.ratelimit).toContain('"openings"; r=1;');
    for (let seek = 0; seek < 20; seek += 1) {
      const { status, headers } = await listener(0);
      expect(status).toBe(200);
      expect(headers.ratelimit).toContain('"continuations"');
    }
    expect((await listener(1)).headers.ratelimit).toContain('"openings"; r=0;');
    expect((await listener(2)).status).toBe(429);
    expect(await statusesOf(Array.from({ length: 10 }, () => listener(0)))).toEqual(
      Array(10).fill(200),
    );
    const workers = linesOf(service, 'request').map(({ worker }) => worker);
    expect(new Set(workers)).toEqual(new Set([1, 2]));
  });

  it('outlive every worker', async () => {
    const service = await startWorkers({ RATE_LIMIT_MAX: '3' });
    const listener = createListener(service);
    expect(await countPlayed(listener, 0, 4)).toBe(3);
    for (const worker of [1, 2]) {
      signalWorker(service, worker, 'SIGTERM');
      await untilStarted(service, worker + 2);
    }
    await until(
      () => [...pidsOf(service)].every(([worker, pid]) => worker > 2 || !isAlive(pid)),
      'both workers have gone',
    );
    expect(await countPlayed(listener, 10, 4)).toBe(0);
    expect((await statusesOf([0, 1, 2, 3].map(listener))).sort()).toEqual([200, 200, 200, 429]);
  });
});

describe('limits with Redis', () => {
  const untilBoth = (service: ServiceProcess, message: string, times = 1): Promise<void> =>
    until(() => linesOf(service, message).length >= 2 * times, `both workers say: ${message}`);

  it('are shared through it', async () => {
    const path = join(createTempFolder(), 'redis.sock');
    const redis = await startRedis(path);
    const service = await startWorkers({ REDIS_URL: path, RATE_LIMIT_MAX: '9' });
    await untilBoth(service, IN_USE);
    // both counts see those of one moment in orders of their own, and the greater decides
    expect(await countPlayed(createListener(service), 0, 30)).toBeLessThanOrEqual(9);
    await redis.client.flushall();

    const listener = createListener(service);
    let played = 0;
    for (let track = 0; track < 15; track += 1) played += await countPlayed(listener, track, 1);
    expect(played).toBe(9);
    const [key] = await redis.client.keys('tuneton:quota:openings:*');
    expect(Number(await redis.client.get(key!))).toBeGreaterThanOrEqual(9);
  });

  it('go on from what was counted when it leaves, and forgive nothing when it is back', async () => {
    const path = join(createTempFolder(), 'redis.sock');
    const redis = await startRedis(path);
    const service = await startWorkers({ REDIS_URL: path, RATE_LIMIT_MAX: '8' });
    await untilBoth(service, IN_USE);
    const listener = createListener(service);
    expect(await countPlayed(listener, 0, 5)).toBe(5);

    await redis.signal('SIGKILL');
    await untilBoth(service, AWAY);
    expect(await countPlayed(listener, 5, 20)).toBe(3);
    // whoever was admitted still is, at either worker
    for (let track = 0; track < 5; track += 1) {
      expect(await statusesOf([listener(track), listener(track)])).toEqual([200, 200]);
    }

    await startRedis(path);
    await untilBoth(service, IN_USE, 2);
    expect(await countPlayed(listener, 30, 10)).toBe(0);
  });
});

describe('a service with workers that is told to stop', () => {
  it.each<[string, (service: ServiceProcess) => void]>([
    [
      'SIGTERM to the primary',
      (service) => {
        service.signal('SIGTERM');
      },
    ],
    [
      'SIGINT to the primary, twice',
      (service) => {
        service.signal('SIGINT');
        service.signal('SIGINT');
      },
    ],
    [
      'SIGTERM to all of the process group',
      (service) => {
        service.signal('SIGTERM');
        for (const worker of [1, 2]) signalWorker(service, worker, 'SIGTERM');
      },
    ],
    [
      'SIGINT to all of the process group, the primary last',
      (service) => {
        for (const worker of [1, 2]) signalWorker(service, worker, 'SIGINT');
        service.signal('SIGINT');
      },
    ],
  ])('lets running downloads end and accepts nothing more: %s', async (_name, tell) => {
    const service = await startWorkers();
    const downloads = await holdSongs(service, 4);
    const agent = new Agent({ keepAlive: true });
    const idle = await holdDownload(service.port, '/health', { agent });
    const idleClosed = once(idle.response.socket, 'close');
    await idle.finish();

    tell(service);
    await service.logged('stopping');
    await expect(send(service.port, '/health')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await idleClosed;
    expect(linesOf(service, 'stopped')).toEqual([]);

    await expectWhole(downloads);
    expect(await service.exit).toEqual({ code: 0, signal: null });
    expect(linesOf(service, 'stopping')).toHaveLength(1);
    expect(linesOf(service, 'stopped')).toEqual([expect.objectContaining({ connectionsCut: 0 })]);
    expect(service.log.at(-1)).toMatchObject({ message: 'stopped' });
    expect(service.log.filter(({ level }) => level === 'error')).toEqual([]);
    expect(service.stderr).toBe('');
    agent.destroy();
  });

  it('cuts no answer under load, and refuses what comes after', async () => {
    const service = await startWorkers();
    const load = applyLoad(service);
    await until(() => load.count() > 200, 'the load runs');
    service.signal('SIGTERM');
    expect(await service.exit).toEqual({ code: 0, signal: null });

    const failures = await load.stop();
    expect(failures.filter(({ isCut }) => isCut)).toEqual([]);
    const codes = new Set(failures.map(({ code }) => code));
    expect([...codes].filter((code) => !['ECONNREFUSED', 'ECONNRESET'].includes(code))).toEqual([]);
    expect(await service.logged('stopped')).toMatchObject({ connectionsCut: 0 });
  });

  it('cuts what is left after DRAIN_TIMEOUT_SECONDS and still exits with 0', async () => {
    const service = await startWorkers({ DRAIN_TIMEOUT_SECONDS: '1' });
    const stalled = await holdSongs(service, 4);
    const startedAt = performance.now();
    service.signal('SIGTERM');
    expect(await service.exit).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeGreaterThan(950);
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    for (const download of stalled) await expect(download.finish()).rejects.toThrow();
    expect(await service.logged('stopped')).toMatchObject({ connectionsCut: 4 });
  });

  it('exits at once when nothing runs', async () => {
    const service = await startWorkers();
    const silent = await openRaw(service.port);
    const startedAt = performance.now();
    service.signal('SIGTERM');
    expect(await service.exit).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await silent.untilClosed();
  });

  it('kills a worker that is stuck', async () => {
    const service = await startWorkers({ DRAIN_TIMEOUT_SECONDS: '0' });
    signalWorker(service, 1, 'SIGSTOP');
    service.signal('SIGTERM');
    await service.logged('worker does not end: it is killed');
    expect(await service.exit).toEqual({ code: 0, signal: null });
    expect(await service.logged('worker died')).toMatchObject({ worker: 1, signal: 'SIGKILL' });
  });
});

describe('a worker that dies', () => {
  it('is replaced, and takes no request of another with it', async () => {
    const service = await startWorkers();
    const downloads = await holdSongs(service, 4);
    const load = applyLoad(service);
    await until(() => load.count() > 100, 'the load runs');

    signalWorker(service, 1, 'SIGKILL');
    expect(await service.logged('worker died')).toMatchObject({
      level: 'error',
      worker: 1,
      code: null,
      signal: 'SIGKILL',
    });
    await untilStarted(service, 3);
    // the listeners stay with the worker they are connected to
    await statusesOf([1, 2, 3, 4].map(() => send(service.port, '/nothing')));
    await service.logged((line) => line.message === 'request' && line.worker === 3);
    const failures = await load.stop();

    // each listener had one request at the most with it
    expect(failures.length).toBeLessThanOrEqual(8);
    expect(failures.filter(({ code }) => code === 'ECONNREFUSED')).toEqual([]);
    const outcomes = await Promise.allSettled(downloads.map((download) => download.finish()));
    const whole = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    // a busy worker is given fewer of them than the other, but neither goes without
    expect(whole.length).toBeGreaterThan(0);
    expect(whole.length).toBeLessThan(downloads.length);
    for (const { value } of whole) expect(value.equals(song)).toBe(true);
    // what the other worker had was whole, all of it: a broken one would have its line there too
    const songs = (): readonly LogLine[] =>
      linesOf(service, 'request').filter(({ track }) => track === 'song');
    await until(() => songs().length >= whole.length, 'the lines of what was whole');
    expect(songs()).toEqual(
      whole.map(() => expect.objectContaining({ worker: 2, outcome: 'complete' }) as unknown),
    );
  });

  it('loses no connection that it had not accepted', async () => {
    const service = await startWorkers();
    signalWorker(service, 1, 'SIGSTOP');
    const answers = Array.from({ length: 6 }, () => send(service.port, '/health'));
    let answered = 0;
    for (const answer of answers) void answer.then(() => (answered += 1));
    // one waits for the worker that does not move
    await until(() => answered === 5, 'the other worker answers');
    signalWorker(service, 1, 'SIGKILL');
    expect(await statusesOf(answers)).toEqual(Array(6).fill(200));
  });

  it('is replaced while it still drains after an error that nobody caught', async () => {
    const service = await startWorkers(
      preload(`process.on('SIGUSR2', () => setImmediate(() => { throw new Error('a bug'); }));`),
    );
    const downloads = await holdSongs(service, 4);
    signalWorker(service, 1, 'SIGUSR2');
    expect(await service.logged('unexpected failure')).toMatchObject({
      level: 'error',
      worker: 1,
      error: { message: 'a bug' },
    });
    await untilStarted(service, 3);
    expect(await statusesOf([1, 2, 3, 4].map(() => send(service.port, '/health')))).toEqual(
      Array(4).fill(200),
    );
    expect(linesOf(service, 'worker died')).toEqual([]);

    await expectWhole(downloads);
    expect(await service.logged('worker died')).toMatchObject({ worker: 1, code: 1, signal: null });
    expect(linesOf(service, 'worker started')).toHaveLength(3);
  });

  it('is replaced when it was told to stop, without an error', async () => {
    const service = await startWorkers();
    signalWorker(service, 2, 'SIGTERM');
    await untilStarted(service, 3);
    expect(await service.logged('worker ended')).toMatchObject({ worker: 2, code: 0 });
    expect(service.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('comes back on the same port when all of them die at once', async () => {
    const port = await findFreePort();
    const service = await startWorkers({ PORT: `${port}` });
    for (const worker of [1, 2]) signalWorker(service, worker, 'SIGKILL');
    await Promise.all([untilStarted(service, 3), untilStarted(service, 4)]);
    expect((await send(port, '/health')).status).toBe(200);
    expect(linesOf(service, 'listening')).toHaveLength(1);
  });

  it('before it listens is tried again later and later, and the others go on', async () => {
    const broken = join(createTempFolder(), 'broken');
    const service = await startWorkers(
      preload(`if (require('node:fs').existsSync(${JSON.stringify(broken)})) process.exit(3);`),
    );
    writeFileSync(broken, '');
    signalWorker(service, 1, 'SIGKILL');
    const failures = (): readonly LogLine[] => linesOf(service, 'worker died before it listened');
    await until(() => failures().length >= 2, 'two starts have failed', START_MS);
    expect(failures()).toMatchObject([
      { level: 'error', worker: 3, code: 3, signal: null, retryInMs: 1_000 },
      { level: 'error', worker: 4, code: 3, signal: null, retryInMs: 2_000 },
    ]);
    expect((await send(service.port, '/health')).status).toBe(200);

    rmSync(broken);
    await untilStarted(service, 5);
    expect(failures()).toHaveLength(2);
  });
});

describe('workers whose primary dies', () => {
  it('finish what they have, accept nothing more and end', async () => {
    const service = await startWorkers();
    const downloads = await holdSongs(service, 4);
    const connection = await openRaw(service.port, formatRequest('/health'));
    await connection.waitFor('HTTP/1.1 200');
    const pids = [...pidsOf(service).values()];
    service.signal('SIGKILL');

    await service.logged('worker stopping');
    await expect(send(service.port, '/health')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await connection.untilClosed();
    expect(pids.filter(isAlive)).toHaveLength(2);
    await expectWhole(downloads);
    // settles when nobody holds its standard output any more
    expect(await service.exit).toEqual({ code: null, signal: 'SIGKILL' });
    await until(() => !pids.some(isAlive), 'both workers have ended');
    expect(linesOf(service, 'worker stopping')).toMatchObject([
      { level: 'error', reason: 'the primary is gone' },
      { level: 'error', reason: 'the primary is gone' },
    ]);
    expect(service.stderr).toBe('');
  });
});
