import { renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createRequestListener } from '../../src/app';
import { createFastLane } from '../../src/fast-lane';
import { createLocalStore } from '../../src/storage/local-store';
import { type OpenedTrack, type TrackStore } from '../../src/storage/track-store';
import { type ByteRange } from '../../src/streaming/byte-range';
import { TEST_DOUBLE } from '../support/api-check';
import { startApp, type TestApp } from '../support/build-app';
import { holdDownload } from '../support/held-download';
import { startLanePair, type LanePair } from '../support/lane-pair';
import { MemoryStore } from '../support/memory-storage';
import { patternedBytes } from '../support/patterned-bytes';
import { exchange, fieldOf, type RawAnswer, type RawRequest } from '../support/raw-answers';
import { openRaw } from '../support/raw-connection';
import { signToken } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

const LENGTH = 300_000;
const PLAYER = 'https://player.example.com';
const token = signToken();

const pairs: LanePair[] = [];

afterEach(async () => {
  for (const pair of pairs.splice(0)) await pair.close();
});
afterAll(removeTempFolders);

async function startPair(...args: Parameters<typeof startLanePair>): Promise<LanePair> {
  const pair = await startLanePair(...args);
  pairs.push(pair);
  return pair;
}

function ask(id: string, ...lines: readonly string[]): RawRequest {
  return {
    target: `/api/stream/${id}`,
    fields: ['Host: localhost', `Authorization: Bearer ${token}`, ...lines],
  };
}

/** Admits the subject without reading the track, and goes on with it once. */
async function open(pair: LanePair, id: string): Promise<void> {
  for (const method of ['HEAD', 'HEAD']) await pair.compare([{ ...ask(id), method }]);
}

function statusOf({ statusLine }: RawAnswer): number {
  return Number(statusLine.split(' ')[1]);
}

/** The same from both; and whether the lane needed the app for it. */
async function expectSame(
  pair: LanePair,
  request: RawRequest,
  expected: { readonly status: number; readonly passed: number; readonly logLines?: number },
): Promise<RawAnswer> {
  const { logLines = 1 } = expected;
  const { lane, alone, answers, passed } = await pair.compare([request], { logLines });
  expect(lane).toEqual(alone);
  expect(answers.map(statusOf)).toEqual([expected.status]);
  expect(passed).toBe(expected.passed);
  return answers[0]!;
}

describe('the quota in the lane', () => {
  const store = new MemoryStore({ song: { bytes: patternedBytes(1_000) } });
  const range = ask('song', 'Range: bytes=0-9', `Origin: ${PLAYER}`);

  it('is used up with the same request as in the app alone, and the same is said then', async () => {
    const pair = await startPair({ RATE_LIMIT_SEEK_MAX: '5' }, () => ({ store }));
    await open(pair, 'song');
    for (let left = 4; left > 0; left -= 1) {
      const answer = await expectSame(pair, range, { status: 206, passed: 0 });
      expect(fieldOf(answer, 'RateLimit')).toContain(`r=${left - 1};`);
    }
    const refused = await expectSame(pair, range, { status: 429, passed: 1 });
    expect(fieldOf(refused, 'Retry-After')).toMatch(/^\d+$/);
    // to revalidate is free
    await expectSame(pair, ask('song', 'If-None-Match: *'), { status: 304, passed: 0 });
    await expectSame(pair, range, { status: 429, passed: 1 });
  });

  it('lets exactly as many through with Redis', async () => {
    const redis = process.env.TEST_REDIS_URL ?? '';
    const env = { RATE_LIMIT_SEEK_MAX: '50', REDIS_URL: redis };
    const pair = await startPair(env, () => ({ store }));
    const own = { ...range, fields: ['Host: localhost', `Authorization: Bearer ${signToken()}`] };
    await exchange(pair.lane.port, [own]); // opens
    const statuses: number[] = [];
    for (let i = 0; i < 55; i += 1) {
      statuses.push(...(await exchange(pair.lane.port, [own])).map(statusOf));
    }
    expect(statuses).toEqual([...Array<number>(50).fill(200), ...Array<number>(5).fill(429)]);
    expect(pair.passed()).toBeLessThan(55);
  });
});

describe('a token in the lane', () => {
  it('is refused from the second on in which the app alone refuses it', async () => {
    const store = new MemoryStore({ song: { bytes: patternedBytes(1_000) } });
    const expiresAt = Math.floor(Date.now() / 1000) + 60;
    const toleratedUntil = expiresAt + 30;
    let now = Date.now();
    const pair = await startPair({}, () => ({ store, clock: () => now }));
    const brief = signToken({ exp: expiresAt });
    const request = {
      target: '/api/stream/song',
      fields: ['Host: localhost', `Authorization: Bearer ${brief}`, 'Range: bytes=0-9'],
    };
    await expectSame(pair, request, { status: 206, passed: 1 });
    await expectSame(pair, request, { status: 206, passed: 1 });
    now = expiresAt * 1000;
    await expectSame(pair, request, { status: 206, passed: 0 });
    now = toleratedUntil * 1000 - 1;
    await expectSame(pair, request, { status: 206, passed: 0 });
    now = toleratedUntil * 1000;
    const refused = await expectSame(pair, request, { status: 401, passed: 1 });
    expect(fieldOf(refused, 'WWW-Authenticate')).toContain('The token has expired');
  });
});

describe('a file that changes under the lane', () => {
  const before = patternedBytes(100_000);
  const after = patternedBytes(100_000, 7);
  let root: string;
  let pair: LanePair;
  let path: string;

  beforeEach(async () => {
    root = createTempFolder();
    path = join(root, 'song.mp3');
    writeFileSync(path, before);
    pair = await startPair({ AUDIO_FILES_DIR: root });
    await open(pair, 'song');
  });

  const get = async (): Promise<RawAnswer> => {
    const [answer] = await exchange(pair.lane.port, [ask('song')]);
    return answer!;
  };

  /** Asks on and on, until half a second after the change and one request more. */
  const askThrough = async (
    change: () => void,
    check: (answer: RawAnswer) => 'old' | 'new',
  ): Promise<void> => {
    for (let i = 0; i < 20; i += 1) expect(check(await get())).toBe('old');
    change();
    const changedAt = performance.now();
    let seen = 'old';
    for (let sentAt = changedAt; sentAt < changedAt + 500;) {
      sentAt = performance.now();
      const state = check(await get());
      // never back again, and new at the latest half a second later
      if (seen === 'new' || sentAt >= changedAt + 500) expect(state).toBe('new');
      seen = state;
    }
  };

  it('is sent as it was, then as it is, each with its own validators', async () => {
    const passedBefore = pair.passed();
    const oldTag = fieldOf(await get(), 'ETag');
    await askThrough(
      () => {
        const other = join(root, 'other.tmp');
        writeFileSync(other, after);
        utimesSync(other, 1_000_000_000, 1_000_000_000);
        renameSync(other, path);
      },
      (answer) => {
        expect(statusOf(answer)).toBe(200);
        const isOld = fieldOf(answer, 'ETag') === oldTag;
        expect(answer.content.equals(isOld ? before : after)).toBe(true);
        return isOld ? 'old' : 'new';
      },
    );
    expect(pair.passed()).toBe(passedBefore);
  });

  it('is not found soon after it was deleted, and until then whole', async () => {
    await askThrough(
      () => {
        rmSync(path);
      },
      (answer) => {
        if (statusOf(answer) === 404) return 'new';
        expect(statusOf(answer)).toBe(200);
        expect(answer.content.equals(before)).toBe(true);
        return 'old';
      },
    );
    const { lane, alone } = await pair.compare([ask('song')], { isCountedInTurn: false });
    expect(lane).toEqual(alone);
  });

  it('is sent to its end from the old file to whoever had begun', async () => {
    const bytes = randomBytes(20_000_000);
    writeFileSync(path, bytes);
    for (let i = 0; i < 5; i += 1)
      await exchange(pair.lane.port, [ask('song', 'Range: bytes=0-9')]);
    const passedBefore = pair.passed();
    const headers = { authorization: `Bearer ${token}` };
    const download = await holdDownload(pair.lane.port, '/api/stream/song', { headers });
    const other = join(root, 'other.tmp');
    writeFileSync(other, after);
    renameSync(other, path);
    await until(async () => (await get()).content.equals(after), 'the new file is sent');
    expect((await download.finish()).equals(bytes)).toBe(true);
    expect(pair.passed()).toBe(passedBefore);
  });
});

/** Tracks whose reading ends as their id says, after the look at the first bytes. */
class FaultyStore extends MemoryStore {
  released = 0;

  override async open(id: string): Promise<OpenedTrack> {
    const track = await super.open(id);
    const failure = Object.assign(new Error('read failed'), { code: 'EIO' });
    const read = (range: ByteRange, signal?: AbortSignal): Readable => {
      if (range.lastPos < 100) return track.read(range, signal);
      if (id.startsWith('late')) return breakOff(range, id === 'late-error' ? failure : undefined);
      return id === 'error' ? breakOff({ firstPos: 0, lastPos: -1 }, failure) : track.read(range, signal); // prettier-ignore
    };
    if (!id.startsWith('at-once')) return { ...track, read };
    return {
      ...track,
      readAtOnce: ({ firstPos, lastPos }) => {
        if (lastPos < 100) {
          const pieces = [patternedBytes(lastPos - firstPos + 1, firstPos)];
          return Promise.resolve({ pieces, release: () => undefined });
        }
        if (id === 'at-once-error') return Promise.reject(failure);
        const missing = id === 'at-once-short' ? 1 : 0;
        return Promise.resolve({
          pieces: [patternedBytes(lastPos - firstPos + 1 - missing, firstPos)],
          release: () => (this.released += 1),
        });
      },
    };
  }
}

/** Half of the range, then its end or an error. */
function breakOff({ firstPos, lastPos }: ByteRange, error?: Error): Readable {
  const bytes = function* () {
    const half = Math.floor((lastPos - firstPos + 1) / 2);
    if (half > 0) yield patternedBytes(half, firstPos);
    if (error) throw error;
  };
  return Readable.from(bytes(), { objectMode: false });
}

describe('a read that fails in the lane', () => {
  const bytes = patternedBytes(LENGTH);
  const ids = ['error', 'late-error', 'late-short', 'at-once-error', 'at-once-short', 'at-once'];
  const library = Object.fromEntries(ids.map((id) => [id, { bytes }]));
  let stores: FaultyStore[];
  let pair: LanePair;

  beforeEach(async () => {
    stores = [];
    pair = await startPair({}, () => {
      const store = new FaultyStore(library);
      stores.push(store);
      return { store };
    });
  });

  it.each([
    ['error', 'bytes=100-200'],
    ['error', 'bytes=100-'],
    ['at-once-error', 'bytes=100-200'],
    ['at-once-short', 'bytes=100-200'],
  ])('before the first byte is answered 503, with all fields: %s, %s', async (id, range) => {
    await open(pair, id);
    const request = ask(id, `Range: ${range}`, `Origin: ${PLAYER}`);
    const answer = await expectSame(pair, request, { status: 503, passed: 0, logLines: 2 });
    expect(answer.isWhole).toBe(true);
    expect(fieldOf(answer, 'Access-Control-Allow-Origin')).toBe('*');
    expect(fieldOf(answer, 'Cross-Origin-Resource-Policy')).toBe('cross-origin');
    expect(fieldOf(answer, 'Content-Security-Policy')).toContain("default-src 'none'");
    expect(fieldOf(answer, 'RateLimit')).toMatch(/^"continuations"/);
    expect(fieldOf(answer, 'Retry-After')).toBe('5');
    expect(fieldOf(answer, 'ETag')).toBeUndefined();
    expect(answer.content.toString()).not.toContain('read failed');
    expect(stores.map(({ openCount }) => openCount)).toEqual([0, 0]);
    // memory of a read that was not sent goes back as well
    expect(stores.map(({ released }) => released)).toEqual(
      id === 'at-once-short' ? [1, 1] : [0, 0],
    );
  });

  it.each(['late-error', 'late-short'])(
    'later cuts the connection, and says so: %s',
    async (id) => {
      await open(pair, id);
      const request = ask(id, 'Range: bytes=100-50099');
      const answer = await expectSame(pair, request, { status: 206, passed: 0, logLines: 2 });
      expect(answer.isWhole).toBe(false);
      expect(answer.content.equals(patternedBytes(25_000, 100))).toBe(true);
      expect(pair.lane.log.at(-1)).toMatchObject({
        level: 'warn',
        outcome: 'cut-by-server',
        cutReason: id === 'late-error' ? 'read-failed' : 'short-read',
        bytesSent: 25_000,
      });
      await until(() => stores.every(({ openCount }) => openCount === 0), 'all is closed');
    },
  );

  it('leaves the connection usable after a 503', async () => {
    await open(pair, 'at-once-error');
    await open(pair, 'at-once');
    const { lane, alone, answers } = await pair.compare(
      [ask('at-once-error', 'Range: bytes=100-109'), ask('at-once', 'Range: bytes=100-199')],
      { logLines: 3 },
    );
    expect(lane).toEqual(alone);
    expect(answers.map(statusOf)).toEqual([503, 206]);
    expect(answers[1]!.content.equals(patternedBytes(100, 100))).toBe(true);
  });
});

describe('a track that the lane opens and leaves to the app', () => {
  it.each([
    ['an unsatisfiable range', 'Range: bytes=1000-', 416],
    ['a precondition that fails', 'If-Match: "another"', 412],
  ])('is opened once, and closed: %s', async (_, line, status) => {
    const stores: MemoryStore[] = [];
    const pair = await startPair({}, () => {
      const store = new MemoryStore({ song: { bytes: patternedBytes(1_000) } });
      stores.push(store);
      return { store };
    });
    await open(pair, 'song');
    const before = stores.map(({ opened }) => opened);
    await expectSame(pair, ask('song', line), { status, passed: 1 });
    expect(stores.map(({ opened }, i) => opened - before[i]!)).toEqual([1, 1]);
    await until(() => stores.every(({ openCount }) => openCount === 0), 'all is closed');
  });

  it('is closed when the app does not ask for it', async () => {
    const store = new MemoryStore({ song: { bytes: patternedBytes(1_000) } });
    let isOver = false;
    const lane = await startApp({ REDIS_URL: '' }, { store }, (container) => {
      const app = createRequestListener({
        ...container,
        config: { ...container.config, fastLane: false },
      });
      return createFastLane(container, (req, res) => {
        if (isOver) res.setHeader(TEST_DOUBLE, 'yes').end();
        else app(req, res);
      });
    });
    for (let i = 0; i < 2; i += 1) await exchange(lane.port, [ask('song', 'Range: bytes=0-9')]);
    isOver = true;
    const { opened } = store;
    await exchange(lane.port, [ask('song', 'If-Match: "another"')]);
    expect(store.opened).toBe(opened + 1);
    await until(() => store.openCount === 0, 'it is closed');
    await lane.close();
  });
});

/** The tracks of a folder, opened when the test says so; counts those that are open. */
class GatedStore implements TrackStore {
  gate: Promise<void> = Promise.resolve();
  asked = 0;
  opened = 0;
  openCount = 0;
  private readonly files: TrackStore;

  constructor(root: string) {
    this.files = createLocalStore(root);
  }

  async open(id: string): Promise<OpenedTrack> {
    this.asked += 1;
    await this.gate;
    const track = await this.files.open(id);
    this.opened += 1;
    this.openCount += 1;
    let isOpen = true;
    return {
      ...track,
      close: async () => {
        await track.close();
        if (isOpen) this.openCount -= 1;
        isOpen = false;
      },
    };
  }
}

describe('a listener who leaves the lane', () => {
  let root: string;
  let stores: GatedStore[];
  let pair: LanePair;

  beforeEach(async () => {
    root = createTempFolder();
    writeFileSync(join(root, 'song.mp3'), patternedBytes(20_000_000));
    stores = [];
    pair = await startPair({}, () => {
      const store = new GatedStore(root);
      stores.push(store);
      return { store };
    });
    await open(pair, 'song');
  });

  const format = (...lines: readonly string[]): string => {
    const { target, fields = [] } = ask('song', ...lines);
    return `GET ${target} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`;
  };

  /** Holds back what is opened from now on. */
  const closeGate = (): (() => void) => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    for (const store of stores) store.gate = gate;
    return release;
  };

  const untilAllClosed = (): Promise<void> =>
    until(() => stores.every(({ openCount }) => openCount === 0), 'all is closed');

  it('in the middle of a track leaves nothing open, and is told in the log', async () => {
    const passedBefore = pair.passed();
    const lines = await linesOfBoth(pair, async () => {
      for (const app of [pair.lane, pair.alone]) {
        const { socket } = await openRaw(app.port, format());
        await once(socket, 'data');
        socket.destroy();
      }
    });
    await untilAllClosed();
    expect(lines.lane).toEqual(lines.alone);
    expect(lines.lane).toMatchObject([{ outcome: 'client-left', level: 'info', bytesSent: true }]);
    expect(pair.passed()).toBe(passedBefore + 1); // the request afterwards
  });

  it('of many leaves the track to the others, and the last of them nothing open', async () => {
    const { port } = pair.lane;
    for (let i = 0; i < 5; i += 1) await exchange(port, [ask('song', 'Range: bytes=0-9')]);
    const headers = { authorization: `Bearer ${token}` };
    const stays = await holdDownload(port, '/api/stream/song', { headers });
    const leaves = await holdDownload(port, '/api/stream/song', { headers });
    leaves.leave();
    await until(
      () => pair.lane.log.some(({ outcome }) => outcome === 'client-left'),
      'the first has left',
    );
    expect((await stays.finish()).equals(patternedBytes(20_000_000))).toBe(true);
    await untilAllClosed();
  });

  it.each(['bytes=0-', 'bytes=0-99'])(
    'while the track is being opened for %s leaves nothing open, and is told in the log',
    async (range) => {
      const asked = stores.map((store) => store.asked);
      const opened = stores.map((store) => store.opened);
      const release = closeGate();
      const lines = await linesOfBoth(pair, async () => {
        for (const app of [pair.lane, pair.alone]) {
          const { socket } = await openRaw(app.port, format(`Range: ${range}`));
          await until(() => stores.some((store, i) => store.asked > asked[i]!), 'it is asked for');
          asked.splice(0, 2, ...stores.map((store) => store.asked));
          socket.destroy();
          await until(async () => (await countConnections(app)) === 0, 'the server has noticed');
        }
        release();
        await until(() => stores.every((store, i) => store.opened > opened[i]!), 'it was opened');
      });
      await untilAllClosed();
      expect(lines.lane).toEqual(lines.alone);
      expect(lines.lane).toMatchObject([
        { outcome: 'client-left', level: 'info', bytesSent: false, track: 'song' },
      ]);
    },
  );

  it('waits for a slow disk no less than the log says', async () => {
    const release = closeGate();
    const asked = stores[0]!.asked;
    const answer = exchange(pair.lane.port, [
      ask('song', 'X-Request-Id: slow', 'Range: bytes=0-9'),
    ]);
    await until(() => stores[0]!.asked > asked, 'the track is asked for');
    const askedAt = performance.now();
    // something that takes its time
    for (let i = 0; i < 20; i += 1) await exchange(pair.lane.port, [{ target: '/health' }]);
    const heldMs = performance.now() - askedAt;
    release();
    await answer;
    const findLine = () => pair.lane.log.find(({ requestId }) => requestId === 'slow');
    await until(() => findLine() !== undefined, 'its line');
    expect(findLine()?.firstByteMs).toBeGreaterThanOrEqual(Math.floor(heldMs));
    expect(findLine()?.durationMs).toBeGreaterThanOrEqual(Math.floor(heldMs));
  });
});

function countConnections({ server }: TestApp): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}

/** What comes to the logs meanwhile, up to the line of a request afterwards. */
async function linesOfBoth(
  { lane, alone }: LanePair,
  work: () => Promise<void>,
): Promise<Readonly<Record<'lane' | 'alone', unknown[]>>> {
  const from = { lane: lane.log.length, alone: alone.log.length };
  await work();
  const linesOf = async (app: TestApp, start: number): Promise<unknown[]> => {
    await until(() => app.log.length > start, 'a line');
    await exchange(app.port, [{ target: '/health', fields: ['Host: localhost'] }]);
    const isLast = ({ route }: Record<string, unknown>): boolean => route === '/health';
    await until(() => app.log.slice(start).some(isLast), 'the line of a request afterwards');
    const lines = app.log.slice(start);
    return lines.slice(0, lines.findIndex(isLast)).map((line) => ({
      ...line,
      timestamp: '',
      requestId: '',
      durationMs: 0,
      firstByteMs: 0,
      bytesSent: Number(line.bytesSent) > 0,
    }));
  };
  return { lane: await linesOf(lane, from.lane), alone: await linesOf(alone, from.alone) };
}
