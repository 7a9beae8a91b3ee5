import { checkTrack } from '../check-answers';
import { loadByWrk, measureRounds, type MeasuredEntry, type WarmUp } from '../measure-rounds';
import { type Peer } from '../peers/peer';
import { readProcessUsage } from '../process-usage';
import { drawRanges } from '../wanted-request';
import { type Bench } from '../bench';
import { type Library } from '../libraries';
import { withPeers } from '../with-peers';
import { type Scenario } from './scenario';

const RANGE_BYTES = 64 * 1024;

/**
 * For each worker: they share the load, but each compiles its own code and fills its own memory, by
 * what it has served itself. The first 2,000 requests of a process cost 2.5 times as much as later ones.
 */
const WARM_UP: WarmUp = { onceSeconds: 6, eachRoundSeconds: 1 };
const QUICK_WARM_UP: WarmUp = { onceSeconds: 2, eachRoundSeconds: 1 };
const COUNTS = [1, 2];

/** Sharing the work must not cost more than it; on one core a speed-up cannot show. */
export const workers: Scenario = {
  name: 'workers',
  title: 'WORKERS=1 and WORKERS=2 on one core: ranges of 64 KiB, 32 connections',
  async run(bench) {
    const library = bench.libraries.single();
    const { dir, track } = library;
    const services = bench.peers.filter(({ kind }) => kind === 'service');
    const { able, notes } = await findAble(bench, services, library);
    const entries = able.flatMap((peer) =>
      COUNTS.map((count): MeasuredEntry => ({
        ...loadByWrk(bench, {
          peer: withWorkers(peer, count),
          libraryDir: dir,
          check: (running) => checkTrack(running, dir, track),
          requestsFor: () => drawRanges([track], RANGE_BYTES),
          connections: 32,
          probes: 4,
          status: 206,
          contentBytes: RANGE_BYTES,
        }),
        warmUp: warmUpOf(bench, count),
      })),
    );
    if (entries.length === 0)
      return { markdown: notes.map((note) => `- ${note}`).join('\n'), figures: [] };
    return measureRounds(bench, entries, notes);
  },
};

/** The targets find the rows by this name. */
export function nameWithWorkers(peerName: string, count: number): string {
  return `${peerName}: WORKERS=${count}`;
}

function warmUpOf({ options: { isQuick } }: Bench, count: number): WarmUp {
  const { onceSeconds, eachRoundSeconds } = isQuick ? QUICK_WARM_UP : WARM_UP;
  return { onceSeconds: onceSeconds * count, eachRoundSeconds: eachRoundSeconds * count };
}

/** Builds that do not know the variable run as one process whatever it says. */
async function findAble(
  bench: Bench,
  services: readonly Peer[],
  { dir }: Library,
): Promise<{ able: readonly Peer[]; notes: readonly string[] }> {
  const able: Peer[] = [];
  const notes: string[] = [];
  const entries = services.map((service) => ({
    peer: withWorkers(service, 2),
    libraryDir: dir,
    check: () => Promise.resolve(),
    service,
  }));
  const { leftOut } = await withPeers(bench, entries, (started) => {
    for (const { entry, running } of started) {
      const { processes } = readProcessUsage(running.pid);
      if (processes > 1) able.push(entry.service);
      else notes.push(`${entry.service.name}: WORKERS is not supported by this build`);
    }
    return Promise.resolve();
  });
  return { able, notes: [...notes, ...leftOut] };
}

function withWorkers(peer: Peer, count: number): Peer {
  return {
    ...peer,
    name: nameWithWorkers(peer.name, count),
    launch(context) {
      const launch = peer.launch(context);
      return { ...launch, env: { ...launch.env, WORKERS: `${count}` } };
    },
  };
}
