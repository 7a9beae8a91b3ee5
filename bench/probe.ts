import { setTimeout as delay } from 'node:timers/promises';
import { openHttpConnection, type HttpConnection } from './http-connection';
import { type RunningPeer } from './peers/running-peer';
import { formatRequest, type WantedRequest } from './wanted-request';

export interface ProbeOptions {
  readonly connections: number;
  readonly requests: readonly WantedRequest[];
  /** of the answer that is right */
  readonly status: number;
  /** a connection asks no more often, so that the probe stays a guest on the load's core */
  readonly intervalMs: number;
  /** ends the probe; exchanges that run then are still counted */
  readonly signal: AbortSignal;
}

export interface ProbeResult {
  readonly firstByteMs: readonly number[];
  readonly lastByteMs: readonly number[];
  readonly failures: readonly string[];
}

/** Asks as one more listener does, on connections that stay open, and looks at the clock. */
export async function runProbe(running: RunningPeer, options: ProbeOptions): Promise<ProbeResult> {
  const result = { firstByteMs: [], lastByteMs: [], failures: [] };
  await Promise.all(
    Array.from({ length: options.connections }, (_, index) =>
      probeOn(running, options, result, index),
    ),
  );
  return result;
}

interface Samples {
  readonly firstByteMs: number[];
  readonly lastByteMs: number[];
  readonly failures: string[];
}

async function probeOn(
  { peer, port }: RunningPeer,
  { connections, requests, status, intervalMs, signal }: ProbeOptions,
  samples: Samples,
  index: number,
): Promise<void> {
  let connection: HttpConnection | undefined;
  // a bound for a peer that fails each time at once
  for (let at = index; !signal.aborted && samples.failures.length < 100; at += connections) {
    const wanted = requests[at % requests.length];
    if (!wanted) break;
    const startedAt = performance.now();
    try {
      if (!connection?.isOpen()) connection = await openHttpConnection(port);
      const answer = await connection.exchange(formatRequest(peer, wanted));
      if (answer.status === status) {
        samples.firstByteMs.push(answer.firstByteMs);
        samples.lastByteMs.push(answer.lastByteMs);
      } else {
        samples.failures.push(`status ${answer.status} instead of ${status}`);
      }
    } catch (error) {
      samples.failures.push(error instanceof Error ? error.message : String(error));
      connection?.close();
    }
    const restMs = startedAt + intervalMs - performance.now();
    if (restMs > 0) await delay(restMs);
  }
  connection?.close();
}
