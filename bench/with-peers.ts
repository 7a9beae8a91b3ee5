import { type Bench } from './bench';
import { WrongAnswer } from './check-answers';
import { type Peer } from './peers/peer';
import { startPeer, type RunningPeer } from './peers/running-peer';
import { untilScanned } from './until-scanned';

/** A peer and what it is to serve. */
export interface Entry {
  readonly peer: Peer;
  readonly libraryDir: string;
  /** @throws WrongAnswer for a peer that is not to be counted */
  readonly check: (running: RunningPeer) => Promise<void>;
}

export interface RunningEntry<E extends Entry> {
  readonly entry: E;
  readonly running: RunningPeer;
}

/**
 * Starts the peers, checks their answers, and stops them when `use` is done.
 *
 * @returns what `use` returns, and why peers were left out of it
 */
export async function withPeers<E extends Entry, T>(
  bench: Bench,
  entries: readonly E[],
  use: (running: readonly RunningEntry<E>[]) => Promise<T>,
): Promise<{ readonly value: T; readonly leftOut: readonly string[] }> {
  const started: RunningPeer[] = [];
  const correct: RunningEntry<E>[] = [];
  const leftOut: string[] = [];
  // each scenario starts fresh: what one of them leaves in memory is not the next one's
  await bench.redis.client.flushall();
  try {
    for (const entry of entries) {
      try {
        const running = await startPeer(entry.peer, bench.lifetime, {
          libraryDir: entry.libraryDir,
          scratchDir: bench.scratchDir,
          redisSocket: bench.redis.socket,
        });
        started.push(running);
        // what a start has to do is measured by itself
        if (entry.peer.kind === 'service') await untilScanned(running);
        await entry.check(running);
        correct.push({ entry, running });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        const verdict = error instanceof WrongAnswer ? 'answers wrongly' : 'failed';
        const line = `**${entry.peer.name} ${verdict} and is not counted: ${reason.trim()}**`;
        leftOut.push(line);
        bench.say(`  ${line}`);
      }
    }
    return { value: await use(correct), leftOut };
  } finally {
    await Promise.all(started.map((each) => each.stop()));
  }
}
