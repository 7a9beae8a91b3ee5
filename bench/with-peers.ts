import { type Bench } from './bench';
import { WrongAnswer } from './check-answers';
import { type Peer } from './peers/peer';
import { startPeer, type RunningPeer } from './peers/running-peer';

export interface PeersOptions {
  readonly peers: readonly Peer[];
  readonly libraryDir: string;
  /** @throws WrongAnswer for a peer that is not to be counted */
  readonly check: (running: RunningPeer) => Promise<void>;
}

/** @returns what `use` returns, and why peers were left out of it */
export async function withPeers<T>(
  bench: Bench,
  { peers, libraryDir, check }: PeersOptions,
  use: (running: readonly RunningPeer[]) => Promise<T>,
): Promise<{ readonly value: T; readonly leftOut: readonly string[] }> {
  const running: RunningPeer[] = [];
  const correct: RunningPeer[] = [];
  const leftOut: string[] = [];
  // each scenario starts fresh: what one of them leaves in memory is not the next one's
  await bench.redis.client.flushall();
  try {
    for (const peer of peers) {
      try {
        const started = await startPeer(peer, bench.lifetime, {
          libraryDir,
          scratchDir: bench.scratchDir,
          redisSocket: bench.redis.socket,
        });
        running.push(started);
        await check(started);
        correct.push(started);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        const verdict = error instanceof WrongAnswer ? 'answers wrongly' : 'failed';
        leftOut.push(`${peer.name} ${verdict} and is not counted: ${reason.trim()}`);
        bench.say(`  ${leftOut.at(-1) ?? ''}`);
      }
    }
    return { value: await use(correct), leftOut };
  } finally {
    await Promise.all(running.map((each) => each.stop()));
  }
}
