import { type Bench } from '../bench';
import { openHttpConnection, type HttpConnection } from '../http-connection';
import { formatNumber, formatTable } from '../markdown';
import { type Peer } from '../peers/peer';
import { startPeer, type RunningPeer } from '../peers/running-peer';
import { readProcessUsage } from '../process-usage';
import { quantile } from '../statistics';
import { untilScanned } from '../until-scanned';
import { type Figure, type Scenario } from './scenario';

const TRACKS = 100_000;
const QUICK_TRACKS = 5_000;
const REQUESTS = 200;
const MEBIBYTE = 2 ** 20;

/** What is asked of the list; all searches are different, so that none is remembered. */
const QUESTIONS: Readonly<Record<string, (i: number, tracks: number) => string>> = {
  'first page of 50': () => '',
  'page of 200 in the middle': (i, tracks) =>
    `?limit=200&cursor=${cursorBehind(`Artist ${((i * 37) % (tracks / 100)) + 100000}`)}`,
  'one word, few hits': (i) => `?search=album-${i}-`,
  'one word, no hit': (i) => `?search=nothing${i}`,
  'three words, many hits': (i) => `?search=title%20artist%20${i % 10}&limit=${(i % 50) + 1}`,
};

/** A library of albums: what the list of it costs in memory and time, and how long the scans take. */
export const catalogue: Scenario = {
  name: 'catalogue',
  title: 'Catalogue: a library of albums of ten tracks of 4 KiB',
  async run(bench) {
    const count = bench.options.isQuick ? QUICK_TRACKS : TRACKS;
    const peers = bench.peers.filter(({ kind }) => kind === 'service');
    const empty = bench.libraries.ofCount(0);
    const albums = bench.libraries.albums(count);
    const blocks: string[] = [];
    const figures: Figure[] = [];
    for (const peer of peers) {
      await bench.redis.client.flushall();
      const idle = await withService(bench, peer, empty.dir, async (running) => {
        await untilScanned(running);
        return residentMiB(running);
      });
      const cold = await withService(bench, peer, albums.dir, (running) =>
        measureScan(running, count),
      );
      const warm = await withService(bench, peer, albums.dir, async (running) => {
        const scan = await measureScan(running, count);
        const scannedMiB = residentMiB(running);
        const questions = await askAll(running, count);
        return { scan, scannedMiB, questions, askedMiB: residentMiB(running) };
      });
      blocks.push(
        formatTable(
          ['peer', 'what', 'value'],
          [
            ['first scan, tracks/s', formatNumber(count / cold.seconds)],
            ['its processor time, s', formatNumber(cold.cpuSeconds)],
            ['scan with the cache in Redis, tracks/s', formatNumber(count / warm.scan.seconds)],
            ['its processor time, s', formatNumber(warm.scan.cpuSeconds)],
            ['resident with an empty library, MiB', formatNumber(idle)],
            ['more after the first scan, MiB', formatNumber(cold.residentMiB - idle)],
            ['more after the scan with the cache, MiB', formatNumber(warm.scannedMiB - idle)],
            ['more after all questions, MiB', formatNumber(warm.askedMiB - idle)],
          ].map((row) => [peer.name, ...row]),
        ),
        '',
        formatTable(
          ['peer', 'question', 'median ms', 'p99 ms', 'slowest ms'],
          warm.questions.map(({ name, times }) => [
            peer.name,
            name,
            ...[0.5, 0.99, 1].map((share) => formatNumber(quantile(times, share))),
          ]),
        ),
      );
      // a smaller library says nothing of the target
      if (count === TRACKS)
        figures.push(
          {
            peer: peer.name,
            name: 'moreMiB',
            value: Math.max(cold.residentMiB, warm.askedMiB) - idle,
          },
          {
            peer: peer.name,
            name: 'p99Ms',
            value: Math.max(...warm.questions.map(({ times }) => quantile(times, 0.99))),
          },
        );
    }
    const notes = [`${count} tracks, ${REQUESTS} requests of each kind, one after the other`];
    return {
      markdown: [...blocks, '', ...notes.map((note) => `- ${note}`)].join('\n'),
      figures,
    };
  },
};

interface Scan {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly residentMiB: number;
}

async function withService<T>(
  bench: Bench,
  peer: Peer,
  libraryDir: string,
  measure: (running: RunningPeer) => Promise<T>,
): Promise<T> {
  const { scratchDir, redis, lifetime } = bench;
  const where = { libraryDir, scratchDir, redisSocket: redis.socket };
  const running = await startPeer(peer, lifetime, where);
  try {
    return await measure(running);
  } finally {
    await running.stop();
  }
}

async function measureScan(running: RunningPeer, tracks: number): Promise<Scan> {
  const startedAt = performance.now();
  await untilScanned(running, tracks);
  return {
    seconds: (performance.now() - startedAt) / 1000,
    cpuSeconds: readProcessUsage(running.pid).cpuSeconds,
    residentMiB: residentMiB(running),
  };
}

async function askAll(
  running: RunningPeer,
  tracks: number,
): Promise<{ readonly name: string; readonly times: readonly number[] }[]> {
  const connection = await openHttpConnection(running.port);
  try {
    const results = [];
    for (const [name, question] of Object.entries(QUESTIONS)) {
      const times: number[] = [];
      for (let i = 0; i < REQUESTS; i += 1) {
        const answer = await ask(running, connection, `/api/stream${question(i, tracks)}`);
        if (answer.status !== 200) throw new Error(`${name}: status ${answer.status}`);
        times.push(answer.lastByteMs);
      }
      results.push({ name, times });
    }
    return results;
  } finally {
    connection.close();
  }
}

function ask({ peer }: RunningPeer, connection: HttpConnection, target: string) {
  return connection.exchange(
    `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${peer.authorization}\r\n\r\n`,
    { keepContent: true },
  );
}

function residentMiB({ pid }: RunningPeer): number {
  return readProcessUsage(pid).residentBytes / MEBIBYTE;
}

/** As `catalogue-cursor.ts` writes it; version 1. */
function cursorBehind(id: string): string {
  return Buffer.from(`1${id}`).toString('base64url');
}
