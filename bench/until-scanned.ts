import { setTimeout as delay } from 'node:timers/promises';
import { openHttpConnection } from './http-connection';
import { type RunningPeer } from './peers/running-peer';

const LOOK_INTERVAL_MS = 100;
/** 100,000 tracks whose tags have to be read take some minutes. */
const TIMEOUT_MS = 900_000;
const REQUEST = 'GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';

/**
 * Waits until the service has listed its library, which it does at each start; a build without a
 * catalogue has none to wait for.
 *
 * @param tracks that must be listed by then
 * @throws when it takes too long
 */
export async function untilScanned(running: RunningPeer, tracks = 0): Promise<void> {
  const startedAt = performance.now();
  const connection = await openHttpConnection(running.port);
  try {
    while (performance.now() - startedAt < TIMEOUT_MS) {
      const { status, content } = await connection.exchange(REQUEST, { keepContent: true });
      if (status === 404) return;
      const { catalogue } = JSON.parse(content.toString()) as {
        readonly catalogue: { readonly state: string; readonly tracks: number };
      };
      if (catalogue.state === 'ready' && catalogue.tracks >= tracks) return;
      await delay(LOOK_INTERVAL_MS);
    }
  } finally {
    connection.close();
  }
  throw new Error('the library was not scanned in time');
}
