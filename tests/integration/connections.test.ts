import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { startApp, type TestApp } from '../support/build-app';
import { parseJson, send, sendRaw } from '../support/http-client';
import { patternedBytes } from '../support/patterned-bytes';
import { bearer } from '../support/sign-token';
import { until } from '../support/until';

const SMALL = patternedBytes(26);
const TEN_MEGABYTES = 10_000_000;

let app: TestApp;
let library: string;
let authorization: string;

beforeAll(async () => {
  library = await mkdtemp(join(tmpdir(), 'tuneton-connections-'));
  writeFileSync(join(library, 'small.mp3'), SMALL);
  writeFileSync(join(library, 'large.mp3'), patternedBytes(TEN_MEGABYTES));
  app = await startApp({ AUDIO_FILES_DIR: library, RATE_LIMIT_SEEK_MAX: '1000000' });
  authorization = bearer();
});

afterAll(async () => {
  await app.close();
  await rm(library, { recursive: true });
});

const get = (id: string, fields = '') =>
  `GET /api/stream/${id} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n${fields}\r\n`;

/** Status lines in the order in which they came; the content of these answers has none. */
const statusesOf = (received: string): number[] =>
  [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));

describe('pipelined requests', () => {
  it('are answered in order', async () => {
    const received = await sendRaw(
      app.port,
      get('small') + get('unknown') + get('small', 'Range: bytes=0-1\r\nConnection: close\r\n'),
    );
    expect(statusesOf(received)).toEqual([200, 404, 206]);
  });

  it('leave no track open and no line out when their client goes', async () => {
    const before = openTracks();
    const loggedBefore = app.log.filter((line) => line.message === 'request').length;
    for (let round = 0; round < 20; round += 1) {
      const socket = connect(app.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(get('large') + get('large') + get('small'));
      await once(socket, 'data');
      socket.destroy();
      await once(socket, 'close');
    }
    const logged = () => app.log.filter((line) => line.message === 'request').length - loggedBefore;
    await until(() => logged() >= 60 && openTracks() === before, 'all lines, no open track');
    expect(logged()).toBe(60);
    expect(openTracks()).toBe(before);
  });

  it.each([
    ['what is no HTTP', 'GARBAGE\r\n\r\n', 400],
    ['an unknown method', 'FOO / HTTP/1.1\r\nHost: x\r\n\r\n', 501],
    ['a broken field', 'GET / HTTP/1.1\r\nHost: x\r\nbad field: 1\r\n\r\n', 400],
    ['fields too large', `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 405],
  ])('get their answers before %s is refused', async (_name, fault, status) => {
    const received = await sendRaw(app.port, get('small') + get('small') + fault);
    expect(statusesOf(received)).toEqual([200, 200, status]);
    const refusal = received.slice(received.lastIndexOf('HTTP/1.1'));
    expect(refusal).toMatch(/\r\nDate: .* GMT\r\n/);
    expect(refusal).toMatch(/\r\nX-Request-Id: [\da-f-]{36}\r\n/);
    expect(refusal).toMatch(/\r\nAccess-Control-Allow-Origin: \*\r\n/);
    expect(JSON.parse(refusal.split('\r\n\r\n')[1] ?? '')).toMatchObject({ status: 'error' });
  });

  it('get a large answer whole before the refusal', async () => {
    const received = await sendRaw(app.port, `${get('large')}GARBAGE\r\n\r\n`);
    const content = received.slice(received.indexOf('\r\n\r\n') + 4);
    expect(content.slice(0, TEN_MEGABYTES)).toBe(patternedBytes(TEN_MEGABYTES).toString('latin1'));
    expect(content.slice(TEN_MEGABYTES)).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('requests whose end cannot be told (RFC 9112 §6.3)', () => {
  it.each([
    ['small', 'Transfer-Encoding: gzip\r\n', 400],
    ['small', 'Transfer-Encoding: chunked, gzip\r\n', 400],
    ['small', 'Transfer-Encoding: gzip, chunked\r\n', 413],
  ])('GET %s with %j', async (id, field, status) => {
    const received = await sendRaw(app.port, get(id, field));
    expect(statusesOf(received)[0]).toBe(status);
    expect(received).toMatch(/\r\nConnection: close\r\n/);
  });

  it('answers a request with broken chunks once, and closes', async () => {
    const received = await sendRaw(
      app.port,
      `${get('small', 'Transfer-Encoding: chunked\r\n')}ZZ\r\n`,
    );
    expect(statusesOf(received)).toEqual([413]);
  });
});

describe('the Host field (RFC 9112 §3.2)', () => {
  it.each(['GET', 'HEAD', 'OPTIONS', 'POST'])(
    'is needed once, and valid, for %s',
    async (method) => {
      for (const fields of ['', 'Host: a\r\nHost: b\r\n', 'Host: a b\r\n', 'Host: a/b\r\n']) {
        for (const path of ['/api/stream/small', '/health']) {
          const received = await sendRaw(app.port, `${method} ${path} HTTP/1.1\r\n${fields}\r\n`);
          expect(statusesOf(received)).toEqual([400]);
          expect(received).toMatch(/\r\nConnection: close\r\n/);
        }
      }
    },
  );

  it('is not asked of HTTP/1.0, and another major version is refused', async () => {
    expect(statusesOf(await sendRaw(app.port, 'GET /health HTTP/1.0\r\n\r\n'))).toEqual([200]);
    const next = await sendRaw(app.port, 'GET /health HTTP/2.0\r\nHost: x\r\n\r\n');
    expect(statusesOf(next)).toEqual([505]);
  });
});

describe('preconditions on JSON', () => {
  it('are evaluated by our rules alone', async () => {
    const path = '/api/stream/small/metadata';
    const whole = await send(app.port, path, { headers: { authorization } });
    const etag = String(whole.headers.etag);
    const ask = async (field: string) =>
      (await send(app.port, path, { headers: { authorization, 'if-none-match': field } })).status;
    expect(await ask(etag)).toBe(304);
    expect(await ask(`W/${etag}`)).toBe(304);
    expect(await ask('*')).toBe(304);
    expect(await ask(`junk, ${etag}`)).toBe(200);
    expect(
      (await send(app.port, path, { headers: { authorization, 'if-match': '"x"' } })).status,
    ).toBe(412);
    const head = await send(app.port, path, { method: 'HEAD', headers: { authorization } });
    expect(head.headers['content-length']).toBe(String(whole.content.length));
    expect(parseJson(whole)).toMatchObject({ status: 'success', data: { id: 'small', size: 26 } });
  });

  it('do not touch health', async () => {
    const answer = await send(app.port, '/health', { headers: { 'if-none-match': '*' } });
    expect(answer.status).toBe(200);
  });
});

describe('the log line', () => {
  it('keeps the secrets of an absolute address', async () => {
    await sendRaw(
      app.port,
      'GET http://user:s3cret@x/api/stream/small?token=s3cret HTTP/1.1\r\nHost: x\r\nX-Request-Id: absolute\r\nConnection: close\r\n\r\n',
    );
    const line = app.log.find((entry) => entry.requestId === 'absolute');
    expect(line).toMatchObject({ path: '/api/stream/small', status: 400 });
    expect(JSON.stringify(app.log)).not.toContain('s3cret');
  });
});

/** Handles on the library in this process. */
function openTracks(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(library);
    } catch {
      return false; // closed between the two questions
    }
  }).length;
}
