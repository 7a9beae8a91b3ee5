import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { holdDownload } from '../support/held-download';
import { parseJson, send } from '../support/http-client';
import { patternedBytes } from '../support/patterned-bytes';
import { formatRequest, openRaw } from '../support/raw-connection';
import { runService, startService, stopServices, writePreload } from '../support/service-process';
import { bearer, TEST_SECRET } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

/** Of what a process does that is configured wrongly; a busy machine takes long to start Node at all. */
const MOST_IDLE_MS = 1_000;

/** It tells itself, so that it is told in this very moment. */
const STOP = `const stop = () => process.kill(process.pid, 'SIGTERM');\n`;

/** Opening a pipe without a writer takes a file thread for good, as a disk that hangs does. */
const HANGING_CALL = `
  const { isMainThread } = require('node:worker_threads');
  const pipe = require('node:path').join(process.cwd(), 'pipe');
  const hang = () => {
    require('node:child_process').execFileSync('/usr/bin/mkfifo', [pipe]);
    require('node:fs').open(pipe, 'r', () => undefined);
  };`;

afterEach(stopServices);
afterAll(removeTempFolders);

describe('a process that is configured wrongly', () => {
  const secret = { JWT_SECRET: TEST_SECRET };

  it.each<[name: string, value: string, rest: Record<string, string>]>([
    ['PORT', '65536', secret],
    ['PORT', '3005x', secret],
    ['JWT_SECRET', 'q'.repeat(31), {}],
    ['JWT_SECRET', 'change-me-to-at-least-32-random-bytes', { NODE_ENV: 'production' }],
    ['JWT_SECRET_PREVIOUS', 'quite-short', secret],
    ['REDIS_URL', 'http://:hunter2@redis.example:6379', secret],
    ['LOG_LEVEL', 'loudest', secret],
    ['LOG_FORMAT', 'xml-lines', secret],
    ['CORS_ORIGIN', 'radio.example', secret],
    ['CORS_ORIGIN', 'https://a.example,*', secret],
    ['RATE_LIMIT_WINDOW_MS', '999', secret],
    ['RATE_LIMIT_MAX', '-17', secret],
    ['RATE_LIMIT_SEEK_MAX', '1e17', secret],
    ['RATE_LIMIT_AUTH_FAILURES', '0x1f', secret],
    ['METADATA_CACHE_TTL_SECONDS', '17.5', secret],
    ['SEND_TIMEOUT_SECONDS', '2147484', secret],
    ['DRAIN_TIMEOUT_SECONDS', 'forever', secret],
    ['TRUST_PROXY', 'true', secret],
  ])(
    'exits with 78 and one line that names %s, without its value %s',
    async (name, value, rest) => {
      const idleFile = join(createTempFolder(), 'idle');
      const preload = writePreload(
        `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(idleFile)},
           String(performance.eventLoopUtilization().idle)));`,
      );
      const run = await runService({ ...rest, [name]: value }, { preload });

      expect(run).toMatchObject({ code: 78, stdout: '' });
      expect(run.stderr).toMatch(new RegExp(`^${name} [^\\n]+\\n$`));
      expect(run.stderr).not.toContain(value);
      // it has waited for nothing
      expect(Number(readFileSync(idleFile, 'utf8'))).toBeLessThan(MOST_IDLE_MS);
    },
  );

  it('exits with 78 when the secret is missing', async () => {
    const run = await runService({});
    expect(run).toMatchObject({ code: 78, stdout: '' });
    expect(run.stderr).toMatch(/^JWT_SECRET is required[^\n]*\n$/);
  });

  it('names every bad variable in a line of its own', async () => {
    const bad = {
      PORT: 'eighty',
      JWT_SECRET: 'change-me-to-at-least-32-random-bytes',
      REDIS_URL: 'redis.example',
      LOG_LEVEL: 'loudest',
      TRUST_PROXY: 'everyone',
    };
    const run = await runService({ ...bad, NODE_ENV: 'production' });

    expect(run.code).toBe(78);
    const names = run.stderr
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ', 1)[0]);
    expect(names.sort()).toEqual(['JWT_SECRET', 'LOG_LEVEL', 'PORT', 'REDIS_URL', 'TRUST_PROXY']);
    for (const value of Object.values(bad)) expect(run.stderr).not.toContain(value);
  });
});

describe('a process that starts', () => {
  it('reads .env in its working folder, below the environment', async () => {
    const cwd = createTempFolder();
    writeFileSync(
      join(cwd, '.env'),
      'NODE_ENV=from-the-file\nLOG_LEVEL=error\nJWT_AUDIENCE=player\n',
    );
    const service = await startService({ LOG_LEVEL: 'info' }, { cwd });

    expect(parseJson(await send(service.port, '/health'))).toMatchObject({ env: 'from-the-file' });
    const refused = await send(service.port, '/api/stream/x', {
      headers: { Authorization: bearer() },
    });
    expect(refused.status).toBe(401);
  });

  it('writes nothing but JSON lines to standard output and nothing to standard error', async () => {
    const cwd = createTempFolder();
    writeFileSync(join(cwd, '.env'), 'NODE_ENV=production\n');
    const service = await startService({}, { cwd });
    await send(service.port, '/nothing');
    await service.logged('request');

    expect(service.log.filter((line) => 'notJson' in line)).toEqual([]);
    expect(service.stderr).toBe('');
  });

  it('warns of a missing library, answers 503 until it appears, and plays when it does', async () => {
    const library = join(createTempFolder(), 'not', 'mounted yet');
    const service = await startService({ AUDIO_FILES_DIR: library });
    const headers = { Authorization: bearer() };
    const warnings = service.log.filter(({ level }) => level === 'warn');
    expect(warnings).toEqual([expect.objectContaining({ audioFilesDir: library })]);

    expect((await send(service.port, '/health')).status).toBe(200);
    for (const path of ['/api/stream/song', '/api/stream/song/metadata']) {
      const answer = await send(service.port, path, { headers });
      expect(answer.status).toBe(503);
      expect(parseJson(answer)).toMatchObject({ status: 'error', code: 'library_unavailable' });
    }

    mkdirSync(library, { recursive: true });
    expect((await send(service.port, '/api/stream/song', { headers })).status).toBe(404);
    writeFileSync(join(library, 'song.mp3'), patternedBytes(1000));
    const answer = await send(service.port, '/api/stream/song', { headers });
    expect(answer.status).toBe(200);
    expect(answer.content).toEqual(patternedBytes(1000));
  });

  it('says so and exits with a failure when its port is taken', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    try {
      const run = await runService({
        HOST: '127.0.0.1',
        PORT: `${port}`,
        JWT_SECRET: TEST_SECRET,
        REDIS_URL: '',
        LOG_FORMAT: 'json',
      });
      expect(run.code).toBe(1);
      const lines = run.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
      expect(lines.at(-1)).toMatchObject({
        level: 'error',
        message: 'cannot listen',
        port,
        reason: expect.stringContaining('EADDRINUSE') as string,
      });
    } finally {
      holder.close();
    }
  });
});

describe('a process that is told to stop', () => {
  /** More than the buffers of both kernels hold, so that the sending is still under way. */
  const TRACK_BYTES = 24 * 1024 * 1024;
  const track = patternedBytes(TRACK_BYTES);
  const headers = { Authorization: bearer() };
  const path = '/api/stream/song';
  let library: string;

  beforeAll(() => {
    library = createTempFolder();
    writeFileSync(join(library, 'song.mp3'), track);
  });

  it('lets running downloads end with their last byte, and accepts nothing more', async () => {
    const service = await startService({ AUDIO_FILES_DIR: library });
    const downloads = await Promise.all(
      Array.from({ length: 5 }, () => holdDownload(service.port, path, { headers })),
    );
    const agent = new Agent({ keepAlive: true });
    const idle = await holdDownload(service.port, '/health', { agent });
    const idleClosed = once(idle.response.socket, 'close');
    await idle.finish();

    service.signal('SIGTERM');
    await service.logged('stopping');
    await expect(send(service.port, '/health')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await idleClosed;
    expect(service.log.some(({ message }) => message === 'stopped')).toBe(false);

    const contents = await Promise.all(downloads.map((download) => download.finish()));
    for (const content of contents) expect(content.equals(track)).toBe(true);
    expect(await service.exit).toEqual({ code: 0, signal: null });
    expect(await service.logged('stopped')).toMatchObject({ connectionsCut: 0 });
    const requests = service.log.filter((line) => line.track === 'song');
    expect(requests.map(({ outcome }) => outcome)).toEqual(Array(5).fill('complete'));
    agent.destroy();
  });

  it('answers one request behind a running download, and closes after it', async () => {
    const service = await startService({ AUDIO_FILES_DIR: library });
    const firstBytes = 16 * 1024 * 1024;
    const range = { Range: `bytes=0-${firstBytes - 1}` };
    const connection = await openRaw(service.port, formatRequest(path, { ...headers, ...range }));
    await connection.waitFor('HTTP/1.1 206');
    connection.socket.pause();

    service.signal('SIGTERM');
    await service.logged('stopping');
    const next = formatRequest(path, { ...headers, Range: 'bytes=0-9' });
    connection.socket.write(next + next);
    connection.socket.resume();
    const text = await connection.untilClosed();

    expect(await service.exit).toEqual({ code: 0, signal: null });
    const contentAt = text.indexOf('\r\n\r\n') + 4;
    const content = connection.received().subarray(contentAt, contentAt + firstBytes);
    expect(content.equals(track.subarray(0, firstBytes))).toBe(true);
    const rest = text.slice(contentAt + firstBytes);
    expect(rest).toMatch(/^HTTP\/1\.1 206 [^]*\r\nConnection: close\r\n/);
    expect(rest.split('HTTP/1.1 ')).toHaveLength(2);
  });

  it('is ready once it has seen the library, and no longer when it drains', async () => {
    const service = await startService({ AUDIO_FILES_DIR: library });
    const readiness = formatRequest('/health/ready', {});
    await until(
      async () => (await send(service.port, '/health/ready')).status === 200,
      'the service is ready',
    );
    // accepted before the signal, asks after it
    const range = { Range: 'bytes=0-16777215' };
    const connection = await openRaw(service.port, formatRequest(path, { ...headers, ...range }));
    await connection.waitFor('HTTP/1.1 206');
    connection.socket.pause();
    service.signal('SIGTERM');
    await service.logged('stopping');
    connection.socket.write(readiness);
    connection.socket.resume();
    const text = await connection.untilClosed();
    expect(text).toContain('HTTP/1.1 503');
    expect(text).toContain('"status":"unavailable","draining":true');
    expect(await service.exit).toEqual({ code: 0, signal: null });
  });

  it.each<[string, NodeJS.Signals[]]>([
    ['SIGTERM twice', ['SIGTERM', 'SIGTERM']],
    ['SIGINT twice', ['SIGINT', 'SIGINT']],
    ['SIGTERM after SIGINT', ['SIGINT', 'SIGTERM']],
  ])('goes on finishing when %s comes', async (_name, [first, second]) => {
    const service = await startService({ AUDIO_FILES_DIR: library });
    const download = await holdDownload(service.port, path, { headers });

    service.signal(first!);
    await service.logged('stopping');
    service.signal(second!);
    expect((await download.finish()).equals(track)).toBe(true);

    expect(await service.exit).toEqual({ code: 0, signal: null });
    expect(service.log.filter(({ message }) => message === 'stopping')).toHaveLength(1);
    expect(service.stderr).toBe('');
  });

  it('cuts what is left after DRAIN_TIMEOUT_SECONDS and still exits with 0', async () => {
    const service = await startService({ AUDIO_FILES_DIR: library, DRAIN_TIMEOUT_SECONDS: '1' });
    const stalled = await holdDownload(service.port, path, { headers });

    const startedAt = performance.now();
    service.signal('SIGTERM');
    expect(await service.exit).toEqual({ code: 0, signal: null });
    const tookMs = performance.now() - startedAt;

    expect(tookMs).toBeGreaterThan(950);
    expect(tookMs).toBeLessThan(3_000);
    await expect(stalled.finish()).rejects.toThrow();
    expect(await service.logged('stopped')).toMatchObject({ connectionsCut: 1 });
  });

  it('has stopped when it exits, also where its thread for tags still loads', async () => {
    const mark = join(createTempFolder(), 'loading');
    const preload = writePreload(
      `if (!require('node:worker_threads').isMainThread) {
         require('node:fs').writeFileSync(${JSON.stringify(mark)}, '');
         Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
       }`,
    );
    const service = await startService({ AUDIO_FILES_DIR: library }, { preload });
    await until(() => existsSync(mark), 'the thread loads');
    service.signal('SIGTERM');
    expect(await service.exit).toEqual({ code: 0, signal: null });
    expect(service.log.at(-1)).toMatchObject({ message: 'stopped' });
  });

  it('exits at once when nothing runs', async () => {
    const service = await startService({ AUDIO_FILES_DIR: library });
    const startedAt = performance.now();
    service.signal('SIGTERM');
    expect(await service.exit).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  it('does not wait for a connection on which nothing was asked yet', async () => {
    // browsers open some in advance, and load balancers to see whether anybody is there
    const service = await startService({ AUDIO_FILES_DIR: library });
    const silent = await openRaw(service.port);
    await send(service.port, '/health');

    service.signal('SIGTERM');
    await service.logged('stopped', 3_000);
    expect(await service.exit).toEqual({ code: 0, signal: null });
    await silent.untilClosed();
  });
});

describe('a process whose disk hangs', () => {
  it('answers, and ends when it is told to', async () => {
    const service = await startService(
      { AUDIO_FILES_DIR: createTempFolder() },
      { preload: writePreload(`${HANGING_CALL} if (isMainThread) hang();`) },
    );
    expect((await send(service.port, '/health')).status).toBe(200);
    const startedAt = performance.now();
    service.signal('SIGTERM');
    // no exit code: Node's exit would wait for the disk
    expect(await service.exit).toEqual({ code: null, signal: 'SIGKILL' });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(service.log.at(-1)).toMatchObject({ message: 'stopped' });
  });
});

describe('a process whose log nobody reads', () => {
  /** More than the pipe and the reading stream hold. */
  const LINES = 60;
  const path = `/${'x'.repeat(8_000)}`;

  it.each([{}, { WORKERS: '2' }])('answers, and ends with 0 all the same with %j', async (more) => {
    const service = await startService({ AUDIO_FILES_DIR: createTempFolder(), ...more });
    const readOn = service.stopReading();
    for (let i = 0; i < LINES; i += 1) {
      expect((await send(service.port, path)).status).toBe(404);
    }

    const ended = once(service.channel as ChildProcess, 'exit');
    const startedAt = performance.now();
    service.signal('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    readOn();
    await service.exit;
    expect(service.stderr).toBe('');
  });
});

describe('a process that is told to stop before it listens', () => {
  const env = {
    HOST: '127.0.0.1',
    PORT: '0',
    JWT_SECRET: TEST_SECRET,
    REDIS_URL: '',
    LOG_FORMAT: 'json',
  };

  // process 1 has no default action: what nobody listens to there is lost
  it.each([
    [
      'is loaded',
      `const Module = require('node:module');
       const load = Module._load;
       Module._load = (name, ...rest) => {
         if (name === 'express') stop();
         return load(name, ...rest);
       };`,
      {},
    ],
    [
      'opens what it needs',
      `const fs = require('node:fs/promises');
       const { mkdir } = fs;
       fs.mkdir = (...rest) => {
         stop();
         return mkdir(...rest);
       };`,
      {},
    ],
    [
      'starts its workers',
      `const cluster = require('node:cluster');
       const { fork } = cluster;
       cluster.fork = (...rest) => {
         stop();
         return fork.apply(cluster, rest);
       };`,
      { WORKERS: '2' },
    ],
  ])('exits with 0 while it %s', async (_moment, script, more) => {
    const run = await runService({ ...env, ...more }, { preload: writePreload(STOP + script) });
    expect(run).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  it('ends also where the disk of the library hangs', async () => {
    const script = `${HANGING_CALL}
      require('node:fs/promises').opendir = () => {
        hang();
        setTimeout(stop, 100);
        return new Promise(() => undefined);
      };`;
    // no exit code: Node's exit would wait for the disk
    expect(await runService(env, { preload: writePreload(STOP + script) })).toMatchObject({
      signal: 'SIGKILL',
      stderr: '',
    });
  });
});
