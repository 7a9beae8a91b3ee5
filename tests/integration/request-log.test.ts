import { once } from 'node:events';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { type ByteRange } from '../../src/streaming/byte-range';
import { startApp, type TestApp } from '../support/build-app';
import { send } from '../support/http-client';
import { MemoryStore } from '../support/memory-storage';
import { patternedBytes } from '../support/patterned-bytes';
import { signToken, uniqueSubject } from '../support/sign-token';

const LENGTH = 20_000_000;

class BreakingStore extends MemoryStore {
  override async open(id: string) {
    const track = await super.open(id);
    if (!id.startsWith('broken')) return track;
    return {
      ...track,
      read: ({ firstPos, lastPos }: ByteRange, signal?: AbortSignal) =>
        // the look at the first bytes goes well
        lastPos < 100 ? track.read({ firstPos, lastPos }, signal) : breakOff(id, firstPos),
    };
  }
}

function breakOff(id: string, firstPos: number): Readable {
  const bytes = function* () {
    if (id === 'broken-later') yield patternedBytes(1000, firstPos);
    throw Object.assign(new Error('read failed'), { code: 'EIO' });
  };
  return Readable.from(bytes(), { objectMode: false });
}

let app: TestApp;
const subject = uniqueSubject();
const authorization = `Bearer ${signToken({ sub: subject })}`;

beforeAll(async () => {
  const bytes = patternedBytes(LENGTH);
  const store = new BreakingStore({
    song: { bytes },
    'broken-at-once': { bytes },
    'broken-later': { bytes },
  });
  app = await startApp({}, { store });
});

afterAll(() => app.close());

async function lineOf(requestId: string): Promise<Record<string, unknown>> {
  for (;;) {
    const line = app.log.find(
      (entry) => entry.requestId === requestId && entry.message === 'request',
    );
    if (line) return line;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the line of a request', () => {
  it('says who got what of which track, how much of it, and how it ended', async () => {
    const { headers } = await send(app.port, '/api/stream/song?start=5', {
      headers: { authorization, range: 'bytes=10-19', 'x-request-id': 'abc-123' },
    });
    expect(headers['x-request-id']).toBe('abc-123');
    const line = await lineOf('abc-123');
    expect(line).toMatchObject({
      level: 'info',
      method: 'GET',
      path: '/api/stream/song',
      route: '/api/stream/:trackId',
      track: 'song',
      status: 206,
      bytesSent: 10,
      outcome: 'complete',
      subject,
    });
    expect(line.firstByteMs).toBeGreaterThan(0);
    expect(line.durationMs).toBeGreaterThanOrEqual(Number(line.firstByteMs));
  });

  it('replaces a request id that is not sane', async () => {
    for (const id of ['a b', 'x'.repeat(65), 'a"b']) {
      const { headers } = await send(app.port, '/health', { headers: { 'x-request-id': id } });
      expect(headers['x-request-id']).toMatch(/^[\da-f-]{36}$/);
    }
  });

  it('tells a client that left, and the bytes it really took over', async () => {
    const req = request({
      port: app.port,
      host: '127.0.0.1',
      path: '/api/stream/song',
      headers: { authorization, 'x-request-id': 'leaver' },
    });
    req.on('error', () => undefined);
    req.end();
    const [res] = (await once(req, 'response')) as [Readable];
    await once(res, 'data');
    req.destroy();
    const line = await lineOf('leaver');
    expect(line).toMatchObject({ status: 200, outcome: 'client-left', level: 'info' });
    expect(Number(line.bytesSent)).toBeGreaterThan(0);
    expect(Number(line.bytesSent)).toBeLessThan(LENGTH);
  });

  it('answers 503 when nothing could be read, and cuts when that shows later', async () => {
    const atOnce = await send(app.port, '/api/stream/broken-at-once', {
      headers: { authorization },
    });
    expect(atOnce.status).toBe(503);
    expect(atOnce.content.toString()).not.toContain('EIO');

    await expect(
      send(app.port, '/api/stream/broken-later', {
        headers: { authorization, 'x-request-id': 'broken', range: 'bytes=100-' },
      }),
    ).rejects.toThrow(/aborted|hang up|ECONNRESET/);
    expect(await lineOf('broken')).toMatchObject({
      level: 'warn',
      outcome: 'cut-by-server',
      cutReason: 'read-failed',
    });
  });

  it('is written at debug for health', async () => {
    await send(app.port, '/health', { headers: { 'x-request-id': 'probe' } });
    expect(await lineOf('probe')).toMatchObject({ level: 'debug', route: '/health', status: 200 });
  });
});
