import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Bench } from '../bench';
import { openHttpConnection, type Answer, type ExchangeOptions } from '../http-connection';
import { SERVER_CORE } from '../machine';
import { formatNumber, formatTable } from '../markdown';
import { type RunningPeer } from '../peers/running-peer';
import { makeWav } from '../sound';
import { median } from '../statistics';
import { withPeers } from '../with-peers';
import { type Figure, type Scenario } from './scenario';

const SECONDS = 300;
const TRACK_ID = 'sound';
const FIRST_PLAYS = 9;
/** Until a conversion that its only listener left has ended: it would share the core with the next. */
const END_MS = 1_200;
const POLL_INTERVAL_MS = 2;
/** As `src/services/transcode-form.ts` has it. */
const ENCODING = ['-c:a', 'libmp3lame', '-b:a', '128k', '-reservoir', '0', '-write_xing', '0'];

/** Five minutes of WAV, the first time somebody wants them as an MP3. */
export const transcode: Scenario = {
  name: 'transcode',
  title: `First play of a transcode: ${SECONDS} s of WAV as MP3 of 128 kbit/s`,
  async run(bench) {
    const { dir } = bench.libraries.single();
    const file = join(dir, `${TRACK_ID}.wav`);
    writeFileSync(file, makeWav(SECONDS));
    const { value: rows, leftOut } = await withPeers(
      bench,
      bench.peers
        .filter(({ kind }) => kind === 'service')
        .map((peer) => ({ peer, libraryDir: dir, check: () => Promise.resolve() })),
      async (entries) => {
        const measured = entries.map(({ running }) => ({ running, ...emptySamples() }));
        for (const each of measured) await measureFirstBytes(each.running, each.firstByteMs);
        for (let round = 0; round < bench.options.rounds; round += 1) {
          for (const { running, wholeMs, bareMs } of measured) {
            bareMs.push(await runBare(bench, file));
            wholeMs.push((await askFresh(running, SECONDS + round)).lastByteMs);
          }
        }
        return measured;
      },
    );
    const results = rows.map(({ running, firstByteMs, wholeMs, bareMs }) => ({
      peer: running.peer.name,
      firstByteMs: median(firstByteMs),
      slowestMs: Math.max(...firstByteMs),
      wholeMs: median(wholeMs),
      bareMs: median(bareMs),
    }));
    const table = formatTable(
      ['peer', 'first byte ms', 'slowest ms', 'whole ms', 'bare ffmpeg ms', 'of its speed'],
      results.map(({ peer, ...ms }) => [
        peer,
        ...[ms.firstByteMs, ms.slowestMs, ms.wholeMs, ms.bareMs].map(formatNumber),
        `${formatNumber(ms.bareMs / ms.wholeMs)} x`,
      ]),
    );
    const notes = [
      `first byte: median of ${FIRST_PLAYS} first plays on a service that knows the track`,
      'bare: ffmpeg alone on the same core, the same encoding into a pipe that is not kept',
      ...leftOut,
    ];
    return {
      markdown: [table, '', ...notes.map((note) => `- ${note}`)].join('\n'),
      figures: results.flatMap(({ peer, firstByteMs, wholeMs, bareMs }): Figure[] => [
        { peer, name: 'firstByteMs', value: firstByteMs },
        { peer, name: 'ofBareSpeed', value: bareMs / wholeMs },
      ]),
    };
  },
};

function emptySamples(): Readonly<Record<'firstByteMs' | 'wholeMs' | 'bareMs', number[]>> {
  return { firstByteMs: [], wholeMs: [], bareMs: [] };
}

async function measureFirstBytes(running: RunningPeer, firstByteMs: number[]): Promise<void> {
  for (let play = 0; play <= FIRST_PLAYS; play += 1) {
    const answer = await askFresh(running, play, { abortAfterBytes: 1 });
    if (play > 0) firstByteMs.push(answer.firstByteMs); // before it nobody had read the track
    await delay(END_MS);
  }
}

/** @param variant starts so many milliseconds later: another output, which is in no cache */
async function askFresh(
  { peer, port }: RunningPeer,
  variant: number,
  options: ExchangeOptions = {},
): Promise<Answer> {
  const start = (variant / 1000).toFixed(3);
  const path = `${peer.pathOf(TRACK_ID)}?format=mp3&bitrate=128&start=${start}`;
  const fields = `Host: 127.0.0.1\r\nAuthorization: ${peer.authorization}`;
  const connection = await openHttpConnection(port);
  try {
    const answer = await connection.exchange(`GET ${path} HTTP/1.1\r\n${fields}\r\n\r\n`, options);
    if (answer.status !== 200) throw new Error(`status ${answer.status} instead of 200`);
    return answer;
  } finally {
    connection.close();
  }
}

async function runBare({ lifetime, scratchDir }: Bench, file: string): Promise<number> {
  const input = ['-nostdin', '-v', 'error', '-f', 'wav', '-i', file, '-map', '0:a:0'];
  const command = ['ffmpeg', ...input, ...ENCODING, '-f', 'mp3', 'pipe:1'].join(' ');
  const startedAt = performance.now();
  const started = await lifetime.start({
    core: SERVER_CORE,
    command: 'sh',
    args: ['-c', `${command} | cat > /dev/null`],
    outputFile: join(scratchDir, 'bare-ffmpeg.log'),
  });
  while (!started.hasExited()) await delay(POLL_INTERVAL_MS);
  return performance.now() - startedAt;
}
