import { type Bench } from './bench';
import { type RunningPeer } from './peers/running-peer';
import { runProbe } from './probe';
import { readProcessUsage } from './process-usage';
import { quantile } from './statistics';
import { type WantedRequest } from './wanted-request';
import { runWrk } from './wrk';

export interface LoadOptions {
  readonly connections: number;
  /** of those connections, the ones that belong to the probe */
  readonly probes: number;
  readonly seconds: number;
  readonly requests: readonly WantedRequest[];
  /** of every right answer */
  readonly status: number;
  /** of an answer, where all have the same */
  readonly contentBytes: number | undefined;
}

/** One peer in one round. */
export interface LoadSample {
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly firstByteP50Ms: number;
  readonly firstByteP99Ms: number;
  readonly probeSamples: number;
  readonly cpuSeconds: number;
  /** share of the time that the server had work; well below 1 the load was what limited */
  readonly busy: number;
  readonly cpuMicrosecondsPerRequest: number;
  readonly peakBytes: number;
  readonly failures: readonly string[];
}

/** 100 requests a second and probe: below a tenth of the load core's time for the fastest peer. */
const PROBE_INTERVAL_MS = 10;
/** More than any peer's header section. */
const MAX_HEAD_BYTES = 4_096;

/** Puts a peer under load from wrk, with probes beside it. */
export async function measureLoad(
  bench: Bench,
  running: RunningPeer,
  options: LoadOptions,
): Promise<LoadSample> {
  const { connections, probes, seconds, requests, status } = options;
  const done = new AbortController();
  const before = readProcessUsage(running.pid);
  const startedAt = performance.now();
  const probing = runProbe(running, {
    connections: probes,
    requests,
    status,
    intervalMs: PROBE_INTERVAL_MS,
    signal: done.signal,
  });
  const wrk = await runWrk(bench.lifetime, running, {
    connections: connections - probes,
    seconds,
    requests,
    scratchDir: bench.scratchDir,
  });
  done.abort();
  const probe = await probing;
  const elapsedSeconds = (performance.now() - startedAt) / 1000;
  const after = readProcessUsage(running.pid);

  const probed = probe.firstByteMs.length;
  const answers = wrk.requests + probed;
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds;
  return {
    requestsPerSecond: wrk.requests / wrk.seconds + probed / elapsedSeconds,
    bytesPerSecond: (wrk.bytes / wrk.seconds) * (answers / Math.max(1, wrk.requests)),
    firstByteP50Ms: quantile(probe.firstByteMs, 0.5),
    firstByteP99Ms: quantile(probe.firstByteMs, 0.99),
    probeSamples: probed,
    cpuSeconds,
    busy: cpuSeconds / elapsedSeconds,
    cpuMicrosecondsPerRequest: (cpuSeconds / answers) * 1e6,
    peakBytes: after.peakBytes,
    failures: [
      ...probe.failures.slice(0, 3),
      ...(wrk.failures > 0 ? [`${wrk.failures} failures of wrk's`] : []),
      ...checkBytes(wrk, options),
    ],
  };
}

/** wrk counts answers by their status only from 400 on; a 200 for a 206 shows in the bytes. */
function checkBytes(
  { requests, bytes }: { requests: number; bytes: number },
  { connections, contentBytes }: LoadOptions,
): readonly string[] {
  if (contentBytes === undefined) return [];
  // the last answers are cut off in the middle, and their bytes are counted
  const most = requests * (contentBytes + MAX_HEAD_BYTES) + connections * contentBytes;
  if (requests > 0 && bytes >= requests * contentBytes && bytes <= most) return [];
  return [`${bytes} bytes are not those of ${requests} answers`];
}
