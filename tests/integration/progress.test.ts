import { playbackKey } from '../../src/services/redis-keys';
import { startApp, type TestApp } from '../support/build-app';
import { encode } from '../support/audio-files';
import { parseJson, sendRaw } from '../support/http-client';
import { openRaw } from '../support/raw-connection';
import { bearer, uniqueSubject } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';
import { randomUUID } from 'node:crypto';
import { type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const TRACK = '/api/stream/song';
const library = createTempFolder();
const subject = uniqueSubject();
const authorization = bearer({ sub: subject });
const stream = `tuneton-test:plays:${subject}`;

let app: TestApp;

beforeAll(async () => {
  await encode(join(library, 'song.flac'), 2, []);
  app = await startApp({
    AUDIO_FILES_DIR: library,
    CACHE_DIR: createTempFolder(),
    PLAYS_STREAM: stream,
  });
}, 60_000);
afterAll(async () => {
  await app.container.redis.run((client) => client.del(stream));
  await app.close();
  removeTempFolders();
});

interface Answer {
  readonly status: number;
  readonly content: Record<string, unknown>;
  readonly connection: string | null;
}

async function ask(
  path: string,
  content?: string | Buffer,
  headers: Readonly<Record<string, string>> = { authorization },
): Promise<Answer> {
  const answer = await fetch(`http://127.0.0.1:${app.port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    ...(content === undefined ? {} : { body: content }),
  });
  const content_ = parseJson({ content: Buffer.from(await answer.arrayBuffer()) });
  return { status: answer.status, content: content_, connection: answer.headers.get('connection') };
}

async function begin(): Promise<{ id: string; path: string; grant: string }> {
  const answer = await ask(`${TRACK}/playback`);
  const { id, url } = answer.content.data as { id: string; url: string };
  return { id, path: `${TRACK}/playback/${id}/progress`, grant: url.slice(url.indexOf('?')) };
}

const report = (positionSeconds: unknown, state: unknown = 'playing'): string =>
  JSON.stringify({ positionSeconds, state });

describe('POST /api/stream/:trackId/playback/:id/progress', () => {
  it('counts a play by token and by grant, and answers with the end', async () => {
    const { id, path, grant } = await begin();
    const first = await ask(path, report(0));
    expect(first).toMatchObject({
      status: 200,
      content: { status: 'success', data: { id, counted: false } },
    });
    expect(Object.keys(first.content.data as object)).toEqual(['id', 'expiresAt', 'counted']);
    const { expiresAt } = first.content.data as { expiresAt: string };
    expect(Math.abs(Date.parse(expiresAt) - (Date.now() + 14_402_000))).toBeLessThan(5_000);
    await delay(1_000); // half of the track
    const second = await ask(path + grant, report(1), {});
    expect(second).toMatchObject({ status: 200, content: { data: { id, counted: true } } });
    const events = await app.container.redis.run((client) => client.xrange(stream, '-', '+'));
    expect(events).toHaveLength(1);
    expect(events[0]?.[1]).toEqual(expect.arrayContaining(['playbackId', id, 'subject', subject]));
  });

  it.each([
    ['another subject’s token', { authorization: bearer() }, 404, 'playback_not_found'],
    ['no credentials', {}, 401, 'unauthorized'],
    ['a wrong token', { authorization: 'Bearer x' }, 401, 'invalid_token'],
  ])('is not taken with %s', async (_what, headers: Record<string, string>, status, code) => {
    const { path } = await begin();
    expect(await ask(path, report(0), headers)).toMatchObject({ status, content: { code } });
  });

  it.each(['AAECAwQFBgcICQoLDA0ODw', 'short', '%00'])('knows no playback %p', async (id) => {
    const path = `${TRACK}/playback/${id}/progress`;
    expect(await ask(path, report(0))).toMatchObject({
      status: 404,
      content: { code: 'playback_not_found' },
    });
  });

  it('is not taken with the grant of another playback, nor of one that has ended', async () => {
    const [one, other] = [await begin(), await begin()];
    expect(await ask(one.path + other.grant, report(0), {})).toMatchObject({
      status: 403,
      content: { code: 'invalid_grant' },
    });
    const path = one.path.replace('/progress', '');
    await fetch(`http://127.0.0.1:${app.port}${path}`, {
      method: 'DELETE',
      headers: { authorization },
    });
    expect(await ask(one.path + one.grant, report(0), {})).toMatchObject({
      status: 403,
      content: { code: 'grant_ended' },
    });
    expect(await ask(one.path, report(0))).toMatchObject({
      status: 404,
      content: { code: 'playback_not_found' },
    });
  });

  it('says to a grant that another replica has just ended what it says later', async () => {
    const { id, path, grant } = await begin();
    expect(await ask(path + grant, report(0), {})).toMatchObject({ status: 200 });
    await app.container.redis.run((client) =>
      client.hset(playbackKey('song', id), 'isRevoked', '1'),
    );
    expect(await ask(path + grant, report(1), {})).toMatchObject({
      status: 403,
      content: { code: 'grant_ended' },
    });
  });

  it('takes an address with its origin, as proxies send it', async () => {
    const head = `Host: a\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`;
    const answer = await sendRaw(app.port, `POST http://a${TRACK}/playback HTTP/1.1\r\n${head}`);
    expect(answer).toMatch(/^HTTP\/1\.1 201 /);
  });

  const JSON_TYPE = 'application/json';
  it.each<[string, string | Buffer | undefined, Record<string, string>, number, string]>([
    ['nothing', undefined, {}, 400, 'bad_request'],
    ['half of it', '{"positionSeconds":1', {}, 400, 'bad_request'],
    ['what is no UTF-8', Buffer.from('{"state":"\xff"}', 'latin1'), {}, 400, 'bad_request'],
    ['no object', '3', {}, 400, 'bad_request'],
    ['null', 'null', {}, 400, 'bad_request'],
    ['an array', '[]', {}, 400, 'bad_request'],
    ['nests', '['.repeat(1_000), {}, 400, 'bad_request'],
    ['a text for a position', report('1'), {}, 400, 'bad_request'],
    ['a position of -1', report(-1), {}, 400, 'bad_request'],
    [
      'a position without end',
      '{"positionSeconds":1e400,"state":"paused"}',
      {},
      400,
      'bad_request',
    ],
    ['a position of 1,000,001 s', report(1_000_001), {}, 400, 'bad_request'],
    ['a state of its own', report(1, 'buffering'), {}, 400, 'bad_request'],
    ['no state', '{"positionSeconds":1}', {}, 400, 'bad_request'],
    ['more', '{"positionSeconds":1,"state":"paused","__proto__":{}}', {}, 400, 'bad_request'],
    ['a form', 'positionSeconds=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'], // prettier-ignore
    ['text', report(1), { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['JSON in Latin-1', report(1), { 'content-type': `${JSON_TYPE}; charset=latin1` }, 415, 'unsupported_media_type'], // prettier-ignore
    ['JSON by gzip', report(1), { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
    ['1,025 bytes', report(1).padEnd(1_025), {}, 413, 'content_too_large'],
    ['1 MB', report(1).padEnd(1_000_000), {}, 413, 'content_too_large'],
  ])('does not take %s', async (_what, content, headers, status, code) => {
    const { path } = await begin();
    const answer = await ask(path, content, { authorization, ...headers });
    expect(answer).toMatchObject({ status, content: { status: 'error', code } });
  });

  it.each([
    ['exactly 1 kB', report(1).padEnd(1_024), {}],
    ['identity-coded content', report(1), { 'content-encoding': 'identity' }],
    ['a charset', report(1), { 'content-type': 'Application/JSON; charset="UTF-8"' }],
    ['a fraction', report(0.5, 'stopped'), {}],
    ['the last position', report(1e6, 'paused'), {}],
  ])('takes %s', async (_what, content, headers) => {
    const { path } = await begin();
    expect((await ask(path, content, { authorization, ...headers })).status).toBe(200);
  });

  const head = (path: string, ...fields: string[]): string =>
    [`POST ${path} HTTP/1.1`, 'Host: x', 'Content-Type: application/json', ...fields, '', ''].join(
      '\r\n',
    );
  const BEARER = `Authorization: ${authorization}`;
  const content = report(1);

  it('leaves the connection open for the next request, whatever was asked', async () => {
    const { path } = await begin();
    const length = `Content-Length: ${content.length}`;
    const received = await sendRaw(
      app.port,
      head(path, BEARER, length) + content + head(path, length) + content +
        head(path, BEARER, length, 'Connection: close') + content, // prettier-ignore
    );
    expect(received.match(/HTTP\/1\.1 \d+/gm)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 401', 'HTTP/1.1 200']); // prettier-ignore
  });

  it('reads what comes in chunks, up to 1 kB', async () => {
    const { path } = await begin();
    const chunked = head(path, BEARER, 'Transfer-Encoding: chunked', 'Connection: close');
    const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
    const taken = await sendRaw(
      app.port,
      `${chunked}${chunk(content.slice(0, 9))}${chunk(content.slice(9))}0\r\n\r\n`,
    );
    expect(taken).toMatch(/^HTTP\/1\.1 200/);
    const refused = await openRaw(app.port, chunked + chunk(' '.repeat(600)).repeat(2));
    expect(await refused.untilClosed()).toMatch(/^HTTP\/1\.1 413.*content_too_large/s);
  });

  it('takes no content in chunks that are encoded besides', async () => {
    const { path } = await begin();
    const encoded = head(path, BEARER, 'Transfer-Encoding: gzip, chunked', 'Connection: close');
    const received = await sendRaw(app.port, `${encoded}${content.length.toString(16)}\r\n${content}\r\n0\r\n\r\n`); // prettier-ignore
    expect(received).toMatch(/^HTTP\/1\.1 415.*unsupported_media_type/s);
  });

  it('asks for the content of who waits to be asked, when it is known whom that speaks for', async () => {
    const { path } = await begin();
    const fields = [`Content-Length: ${content.length}`, 'Expect: 100-continue'];
    const connection = await openRaw(app.port, head(path, BEARER, ...fields, 'Connection: close'));
    await connection.waitFor('HTTP/1.1 100 Continue\r\n\r\n');
    connection.socket.write(content);
    expect(await connection.untilClosed()).toMatch(/HTTP\/1\.1 200/);
    const stranger = await openRaw(app.port, head(path, ...fields));
    const refusal = await stranger.untilClosed();
    expect(refusal).toMatch(/^HTTP\/1\.1 401.*\r\nConnection: close\r\n/s);
  });

  it('ends with whoever does not send what was announced', async () => {
    const { path } = await begin();
    const connection = await openRaw(app.port, head(path, BEARER, 'Content-Length: 500') + content);
    const text = await connection.untilClosed(20_000);
    expect(text).toMatch(/^HTTP\/1\.1 408.*request_timeout/s);
    expect(app.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it.each<[string, (socket: Socket) => void, RegExp]>([
    ['ends', (socket) => socket.end(), /^HTTP\/1\.1 400.*bad_request/s],
    ['leaves', (socket) => socket.destroy(), /^$/],
    ['breaks off', (socket) => socket.resetAndDestroy(), /^$/],
  ])('does not wait for the rest from whoever %s in the middle', async (_how, leave, expected) => {
    const { path } = await begin();
    const id = randomUUID();
    const fields = [BEARER, 'Content-Length: 500', `X-Request-Id: ${id}`, 'Expect: 100-continue'];
    const connection = await openRaw(app.port, head(path, ...fields) + content);
    const goOn = 'HTTP/1.1 100 Continue\r\n\r\n';
    await connection.waitFor(goOn); // the content is being read
    leave(connection.socket);
    const answers = (await connection.untilClosed()).replace(goOn, '');
    expect(answers).toMatch(expected);
    expect(answers.split('HTTP/1.1 ').length).toBeLessThanOrEqual(2);
    const findLine = () => app.log.find(({ requestId }) => requestId === id);
    await until(() => findLine() !== undefined, 'its line');
    expect(findLine()).not.toMatchObject({ status: 408 });
    expect(app.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('does not wait for the rest from whoever has ended before it is read', async () => {
    const { path } = await begin();
    const text = head(path, BEARER, 'Content-Length: 500') + content;
    const connections = await Promise.all(Array.from({ length: 20 }, () => openRaw(app.port)));
    for (const { socket } of connections) socket.end(text, 'latin1');
    for (const connection of connections) {
      const answers = await connection.untilClosed();
      expect(answers).toMatch(/^HTTP\/1\.1 400.*bad_request/s);
      expect(answers.split('HTTP/1.1 ')).toHaveLength(2);
    }
  });

  it.each([
    ['GET', TRACK],
    ['POST', `${TRACK}/prepare`],
    ['POST', `${TRACK}/playback`],
    ['PUT', `${TRACK}/playback/AAECAwQFBgcICQoLDA0ODw`],
    ['DELETE', `${TRACK}/playback/AAECAwQFBgcICQoLDA0ODw`],
  ])('is alone with it: %s %s takes no content', async (method, path) => {
    const text = head(path, BEARER, `Content-Length: ${content.length}`).replace('POST', method);
    expect(await sendRaw(app.port, text + content)).toMatch(/^HTTP\/1\.1 413/);
  });
});

describe('the cap over HTTP', () => {
  it('names the playbacks that are in the way', async () => {
    const capped = await startApp({
      AUDIO_FILES_DIR: library,
      CACHE_DIR: createTempFolder(),
      MAX_PLAYBACKS_PER_SUBJECT: '1',
    });
    try {
      const headers = { authorization: bearer({ sub: uniqueSubject() }) };
      const post = (path: string): Promise<Response> =>
        fetch(`http://127.0.0.1:${capped.port}${path}`, { method: 'POST', headers });
      const first = (await (await post(`${TRACK}/playback`)).json()) as { data: { id: string } };
      const refusal = await post(`${TRACK}/playback`);
      expect(refusal.status).toBe(409);
      const time: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/);
      expect(await refusal.json()).toEqual({
        status: 'error',
        code: 'too_many_playbacks',
        message: 'Too many tracks are being played at the same time',
        playbacks: [{ id: first.data.id, trackId: 'song', startedAt: time, lastActiveAt: time }],
      });
      expect((await post(`${TRACK}/playback?takeover=true`)).status).toBe(201);
    } finally {
      await capped.close();
    }
  });
});
