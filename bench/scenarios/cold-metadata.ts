import { type Bench } from '../bench';
import { checkMetadata } from '../check-answers';
import { openHttpConnection, type HttpConnection } from '../http-connection';
import { type BenchTrack } from '../library';
import { formatNumber, formatTable } from '../markdown';
import { type RunningPeer } from '../peers/running-peer';
import { readProcessUsage } from '../process-usage';
import { median } from '../statistics';
import { formatRequest } from '../wanted-request';
import { withPeers } from '../with-peers';
import { type Figure, type Scenario } from './scenario';

interface Burst {
  readonly parses: number;
  readonly firstAnswerMs: number;
  readonly lastAnswerMs: number;
  readonly cpuSeconds: number;
  readonly wrongAnswers: number;
}

const PARALLEL_REQUESTS = 200;
/** A parse that is stored after the last answer is still seen. */
const SETTLE_MS = 200;

/** A track that everybody wants in the same instant and nobody has asked for before. */
export const coldMetadata: Scenario = {
  name: 'cold-metadata',
  title: `Cold metadata: ${PARALLEL_REQUESTS} parallel requests for one track that was never asked for`,
  async run(bench) {
    const { dir, tracks } = bench.libraries.collection();
    const [warmUp, ...fresh] = tracks;
    if (!warmUp || fresh.length < bench.options.rounds) throw new Error('there are too few tracks');
    const { value: measured, leftOut } = await withPeers(
      bench,
      bench.peers
        .filter(({ metadataPathOf }) => metadataPathOf !== undefined)
        .map((peer) => ({
          peer,
          libraryDir: dir,
          check: (running: RunningPeer) => checkMetadata(running, warmUp),
        })),
      async (running) => {
        const rows = running.map(({ running: each }) => ({ each, bursts: new Array<Burst>() }));
        for (const track of fresh.slice(0, bench.options.rounds)) {
          for (const { each, bursts } of rows) {
            await bench.redis.client.flushall(); // builds of the service share keys
            bursts.push(await measureBurst(bench, each, track));
          }
        }
        return rows;
      },
    );
    const table = formatTable(
      ['peer', 'parses, most', 'first answer ms', 'last answer ms', 'CPU s', 'wrong answers'],
      measured.map(({ each, bursts }) => [
        each.peer.name,
        `${Math.max(...bursts.map(({ parses }) => parses))}`,
        formatNumber(median(bursts.map(({ firstAnswerMs }) => firstAnswerMs))),
        formatNumber(median(bursts.map(({ lastAnswerMs }) => lastAnswerMs))),
        formatNumber(median(bursts.map(({ cpuSeconds }) => cpuSeconds))),
        `${bursts.reduce((sum, { wrongAnswers }) => sum + wrongAnswers, 0)}`,
      ]),
    );
    const notes = [
      'a parse is seen from outside by what follows it, one SET of its result as MONITOR shows it; that there is no other is asserted in the test suite',
      ...leftOut,
    ];
    return {
      markdown: [table, '', ...notes.map((note) => `- ${note}`)].join('\n'),
      figures: measured.flatMap(({ each, bursts }): Figure[] => [
        {
          peer: each.peer.name,
          name: 'fewestParses',
          value: Math.min(...bursts.map(({ parses }) => parses)),
        },
        {
          peer: each.peer.name,
          name: 'mostParses',
          value: Math.max(...bursts.map(({ parses }) => parses)),
        },
        {
          peer: each.peer.name,
          name: 'wrongAnswers',
          value: Math.max(...bursts.map(({ wrongAnswers }) => wrongAnswers)),
        },
      ]),
    };
  },
};

async function measureBurst(bench: Bench, running: RunningPeer, track: BenchTrack): Promise<Burst> {
  const request = formatRequest(running.peer, { kind: 'metadata', trackId: track.id });
  const connections: HttpConnection[] = [];
  const countParses = await watchStores(bench);
  try {
    for (let opened = 0; opened < PARALLEL_REQUESTS; opened += 1) {
      connections.push(await openHttpConnection(running.port));
    }
    const before = readProcessUsage(running.pid);
    const startedAt = performance.now();
    const answers = await Promise.all(
      connections.map(async (connection) => {
        const isRight = await connection.exchange(request, { keepContent: true }).then(
          ({ status, content }) => status === 200 && content.includes(JSON.stringify(track.title)),
          () => false,
        );
        return { isRight, atMs: performance.now() - startedAt };
      }),
    );
    const after = readProcessUsage(running.pid);
    return {
      parses: await countParses(),
      firstAnswerMs: Math.min(...answers.map(({ atMs }) => atMs)),
      lastAnswerMs: Math.max(...answers.map(({ atMs }) => atMs)),
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      wrongAnswers: answers.filter(({ isRight }) => !isRight).length,
    };
  } finally {
    for (const connection of connections) connection.close();
  }
}

/** @returns ends the watch and tells how many results were stored during it */
async function watchStores({ redis }: Bench): Promise<() => Promise<number>> {
  const monitor = await redis.client.monitor();
  let stores = 0;
  monitor.on('monitor', (_time: string, [command = '', key = '']: readonly string[]) => {
    if (/^(?:set|setex|psetex)$/i.test(command) && key.includes('metadata:')) stores += 1;
  });
  return async () => {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    monitor.disconnect();
    return stores;
  };
}
