import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startApp, type TestApp } from '../support/build-app';
import { patternedBytes } from '../support/patterned-bytes';
import { openRaw, type RawConnection } from '../support/raw-connection';
import { send } from '../support/http-client';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

const LENGTH = 2_000_000;
/** Together far more than the kernel takes for a client that reads nothing. */
const REQUESTS = 120;

interface Way {
  readonly name: string;
  readonly rangeBytes: number;
  /** requests before, in one moment */
  readonly crowd: number;
}

const WAYS: readonly Way[] = [
  { name: 'read at once', rangeBytes: 131_072, crowd: 0 },
  { name: 'streamed', rangeBytes: 200_000, crowd: 0 },
  { name: 'from memory', rangeBytes: 200_000, crowd: 12 },
];

let library: string;
let app: TestApp;
let authorization: string;

afterAll(removeTempFolders);

describe.each(['true', 'false'])('pipelined ranges that are cut, FAST_LANE=%s', (fastLane) => {
  beforeAll(async () => {
    library = createTempFolder();
    writeFileSync(join(library, 'song.mp3'), patternedBytes(LENGTH));
    app = await startApp({
      AUDIO_FILES_DIR: library,
      FAST_LANE: fastLane,
      RATE_LIMIT_SEEK_MAX: '1000000',
    });
    authorization = bearer();
  });
  afterAll(() => app.close());

  const askTogether = async ({ rangeBytes, crowd }: Way): Promise<RawConnection> => {
    const range = `bytes=0-${rangeBytes - 1}`;
    for (let i = 0; i < 2 + crowd; i += 1) {
      await send(app.port, '/api/stream/song', { headers: { authorization, range } });
    }
    await until(() => lines().length >= 2 + crowd, 'the lines of the first');
    app.log.length = 0;
    const request =
      `GET /api/stream/song HTTP/1.1\r\nHost: x\r\n` +
      `Authorization: ${authorization}\r\nRange: ${range}\r\n\r\n`;
    // few enough bytes that the server reads all of them before it is held back
    const connection = await openRaw(app.port);
    connection.socket.pause();
    connection.socket.write(request.repeat(REQUESTS));
    return connection;
  };

  const lines = (): readonly Record<string, unknown>[] =>
    app.log.filter(({ message }) => message === 'request');

  it.each(WAYS)(
    'by the server are complete in the log where the client has them whole: $name',
    async (way) => {
      const client = await askTogether(way);
      await untilStalled();
      app.server.closeAllConnections();
      await until(() => lines().length >= REQUESTS, 'all lines');
      client.socket.resume();
      await client.closedAfterMs;

      const complete = lines().filter(({ outcome }) => outcome === 'complete');
      expect(lines()).toHaveLength(REQUESTS);
      expect(complete.every(({ bytesSent }) => bytesSent === way.rangeBytes)).toBe(true);
      // what the kernel had taken arrives, and of the answers not a byte more
      expect(complete.length).toBeLessThanOrEqual(countWhole(client.received(), way.rangeBytes));
      expect(complete.length).toBeLessThan(REQUESTS);
    },
  );

  it.each(WAYS)(
    'by the client are not complete in the log but for what the kernel took: $name',
    async (way) => {
      const { socket } = await askTogether(way);
      await untilStalled();
      socket.resetAndDestroy();
      await until(() => lines().length >= REQUESTS, 'all lines');

      const outcomes = lines().map(({ outcome }) => outcome);
      expect(outcomes).toHaveLength(REQUESTS);
      const whole = outcomes.filter((outcome) => outcome === 'complete').length;
      expect(outcomes.filter((outcome) => outcome === 'client-left')).toHaveLength(
        REQUESTS - whole,
      );
      // 24 MB were asked for, or 16; the kernel takes 10 at the most
      expect(whole * way.rangeBytes).toBeLessThan(10_500_000);
    },
  );

  /** Settles when the server has written what it can. */
  async function untilStalled(): Promise<void> {
    let seen = -1;
    await until(async () => {
      const before = seen;
      for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
      seen = lines().length;
      return seen === before;
    }, 'nothing moves any more');
  }
});

/** The answers that are there to their last byte. */
function countWhole(bytes: Buffer, contentBytes: number): number {
  let whole = 0;
  for (let at = 0; ; whole += 1) {
    const headEnd = bytes.indexOf('\r\n\r\n', at);
    if (headEnd < 0) return whole;
    at = headEnd + 4 + contentBytes;
    if (at > bytes.length) return whole;
  }
}
