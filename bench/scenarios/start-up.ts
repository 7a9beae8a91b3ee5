import { formatNumber, formatTable } from '../markdown';
import { type Peer } from '../peers/peer';
import { startPeer } from '../peers/running-peer';
import { readProcessUsage } from '../process-usage';
import { median } from '../statistics';
import { type Figure, type Scenario } from './scenario';

const STARTS = 5;
const QUICK_STARTS = 3;
const MEBIBYTE = 2 ** 20;

/** From nothing to the first 200: what a rolling update or a crash costs. */
export const startUp: Scenario = {
  name: 'start-up',
  title: 'Start: from spawn to the first 200, built code',
  async run(bench) {
    const { dir } = bench.libraries.single();
    const starts = bench.options.isQuick ? QUICK_STARTS : STARTS;
    const rows = bench.peers.map((peer) => ({
      peer,
      startMs: new Array<number>(),
      residentBytes: new Array<number>(),
      failures: new Set<string>(),
    }));
    const startOnce = async (peer: Peer, row: (typeof rows)[number]): Promise<void> => {
      const running = await startPeer(peer, bench.lifetime, {
        libraryDir: dir,
        scratchDir: bench.scratchDir,
        redisSocket: bench.redis.socket,
      });
      row.startMs.push(running.startMs);
      row.residentBytes.push(readProcessUsage(running.pid).residentBytes);
      await running.stop();
    };
    for (let start = 0; start < starts; start += 1) {
      for (const row of rows) {
        await startOnce(row.peer, row).catch((error: unknown) => {
          row.failures.add(String(error));
        });
      }
    }
    const table = formatTable(
      ['peer', 'median ms', 'slowest ms', 'resident MiB'],
      rows.map(({ peer, startMs, residentBytes }) => [
        peer.name,
        formatNumber(median(startMs)),
        formatNumber(Math.max(...startMs)),
        formatNumber(median(residentBytes) / MEBIBYTE),
      ]),
    );
    const notes = [
      `${starts} starts; the service is asked for /health, the others for a small track`,
      ...rows.flatMap(({ failures }) => [...failures]),
    ];
    return {
      markdown: [table, '', ...notes.map((note) => `- ${note}`)].join('\n'),
      figures: rows.map(({ peer, startMs }): Figure => ({
        peer: peer.name,
        name: 'startMs',
        value: median(startMs),
      })),
    };
  },
};
