import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Lifetime } from './lifetime';
import { LOAD_CORE } from './machine';
import { type RunningPeer } from './peers/running-peer';
import { partsOf, type WantedRequest } from './wanted-request';

export interface WrkOptions {
  readonly connections: number;
  readonly seconds: number;
  readonly requests: readonly WantedRequest[];
  readonly scratchDir: string;
}

export interface WrkResult {
  readonly requests: number;
  /** header sections included */
  readonly bytes: number;
  readonly seconds: number;
  /** connections that failed and answers with a status of 400 or more */
  readonly failures: number;
}

const SCRIPT = join(__dirname, '../lua/requests.lua');
const POLL_INTERVAL_MS = 20;
/** wrk ends by itself; this much later something is wrong. */
const OVERTIME_MS = 15_000;

/** Lets wrk send the requests over and over, as fast as the peer answers. */
export async function runWrk(
  lifetime: Lifetime,
  { peer, port }: RunningPeer,
  { connections, seconds, requests, scratchDir }: WrkOptions,
): Promise<WrkResult> {
  const folder = mkdtempSync(join(scratchDir, 'wrk-'));
  const requestsFile = join(folder, 'requests');
  const outputFile = join(folder, 'output');
  const lines = requests.map((wanted) => {
    const { path, range, ifNoneMatch } = partsOf(peer, wanted);
    return `${path}\t${range}\t${ifNoneMatch}\n`;
  });
  writeFileSync(requestsFile, lines.join(''));

  const wrk = await lifetime.start({
    core: LOAD_CORE,
    command: 'wrk',
    args: [
      ...['-t', '1', '-c', `${connections}`, '-d', `${seconds}s`, '--timeout', '10s'],
      ...['-s', SCRIPT, `http://127.0.0.1:${port}`],
    ],
    env: {
      PATH: process.env.PATH,
      BENCH_REQUESTS: requestsFile,
      BENCH_AUTHORIZATION: peer.authorization,
    },
    outputFile,
  });
  const deadline = performance.now() + seconds * 1000 + OVERTIME_MS;
  while (!wrk.hasExited() && performance.now() < deadline) await delay(POLL_INTERVAL_MS);
  await wrk.stop();
  return parseResult(readFileSync(outputFile, 'utf8'));
}

interface Summary {
  readonly requests: number;
  readonly bytes: number;
  readonly microseconds: number;
  readonly failures: Readonly<Record<string, number>>;
}

function parseResult(output: string): WrkResult {
  const line = output.split('\n').find((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(`wrk said nothing of its result: ${output}`);
  const { requests, bytes, microseconds, failures } = JSON.parse(line) as Summary;
  return {
    requests,
    bytes,
    seconds: microseconds / 1e6,
    failures: Object.values(failures).reduce((sum, count) => sum + count, 0),
  };
}
