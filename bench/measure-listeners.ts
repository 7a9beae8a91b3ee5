import { setTimeout as delay } from 'node:timers/promises';
import { type BenchTrack } from './library';
import { createPacedListeners, type ListenerTally, type PacedListeners } from './paced-listeners';
import { type RunningPeer } from './peers/running-peer';
import { runProbe, type ProbeResult } from './probe';
import { countDescriptors, readProcessUsage } from './process-usage';
import { createRandom } from './random';
import { drawRanges } from './wanted-request';

export interface ListenersOptions {
  readonly tracks: readonly BenchTrack[];
  readonly count: number;
  /** how many come each second until all are there */
  readonly arrivalsPerSecond: number;
  /** how long they then listen, first without seeks and then with */
  readonly holdSeconds: number;
}

/** One stretch of listening, with a probe beside it that asks as a listener who seeks does. */
export interface Phase {
  readonly tally: ListenerTally;
  readonly probe: ProbeResult;
  readonly cpuSeconds: number;
}

export interface ListenersSample {
  readonly steady: Phase;
  readonly seeking: Phase;
  readonly idleBytes: number;
  /** the most that was seen, arrivals included */
  readonly residentBytes: number;
  readonly descriptors: number;
  readonly arrivalCpuSeconds: number;
}

const PROBES = 4;
/** 200 new requests a second, beside which a thousand samples are gathered in five. */
const PROBE_INTERVAL_MS = 20;
const PROBE_RANGE_BYTES = 64 * 1024;
const ARRIVAL_STEP_MS = 20;
const LOOK_INTERVAL_MS = 250;

export async function measureListeners(
  running: RunningPeer,
  options: ListenersOptions,
): Promise<ListenersSample> {
  const idleBytes = readProcessUsage(running.pid).residentBytes;
  const listeners = createPacedListeners(running, options.tracks, createRandom(3));
  let residentBytes = 0;
  let descriptors = 0;
  const look = setInterval(() => {
    residentBytes = Math.max(residentBytes, readProcessUsage(running.pid).residentBytes);
    descriptors = Math.max(descriptors, countDescriptors(running.pid));
  }, LOOK_INTERVAL_MS);
  try {
    const before = readProcessUsage(running.pid);
    await arrive(listeners, options);
    const after = readProcessUsage(running.pid);
    const steady = await listen(running, listeners, options);
    listeners.startSeeking();
    const seeking = await listen(running, listeners, options);
    const arrivalCpuSeconds = after.cpuSeconds - before.cpuSeconds;
    return { steady, seeking, idleBytes, residentBytes, descriptors, arrivalCpuSeconds };
  } finally {
    clearInterval(look);
    listeners.close();
  }
}

/** Spread evenly, as nobody's listeners all come in the same instant. */
async function arrive(
  listeners: PacedListeners,
  { count, arrivalsPerSecond }: ListenersOptions,
): Promise<void> {
  const startedAt = performance.now();
  for (let arrived = 0; arrived < count;) {
    const due = Math.ceil(((performance.now() - startedAt) / 1000) * arrivalsPerSecond);
    for (; arrived < Math.min(due, count); arrived += 1) listeners.add();
    await delay(ARRIVAL_STEP_MS);
  }
}

async function listen(
  running: RunningPeer,
  listeners: PacedListeners,
  { tracks, holdSeconds }: ListenersOptions,
): Promise<Phase> {
  const before = readProcessUsage(running.pid);
  const probe = await runProbe(running, {
    connections: PROBES,
    requests: drawRanges(tracks, PROBE_RANGE_BYTES),
    status: 206,
    intervalMs: PROBE_INTERVAL_MS,
    signal: AbortSignal.timeout(holdSeconds * 1000),
  });
  const after = readProcessUsage(running.pid);
  return {
    tally: listeners.readTally(),
    probe,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
  };
}
