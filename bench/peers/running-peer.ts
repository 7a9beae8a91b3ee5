import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openHttpConnection } from '../http-connection';
import { type Lifetime } from '../lifetime';
import { SERVER_CORE } from '../machine';
import { formatRequest } from '../wanted-request';
import { type LaunchContext, type Peer } from './peer';

export interface RunningPeer {
  readonly peer: Peer;
  readonly pid: number;
  readonly port: number;
  /** from the moment it was spawned to its first 200 */
  readonly startMs: number;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 15_000;
/** Fine enough for a start of a few hundred milliseconds, and little work beside it. */
const POLL_INTERVAL_MS = 2;

/**
 * Starts a peer on the server's core and waits for its first 200.
 *
 * @throws with what it wrote to standard error when it does not come up
 */
export async function startPeer(
  peer: Peer,
  lifetime: Lifetime,
  where: Omit<LaunchContext, 'port'>,
): Promise<RunningPeer> {
  const port = await findFreePort();
  const { command, args, env } = peer.launch({ ...where, port });
  const outputFile = join(where.scratchDir, `${peer.name}-${port}.log`);
  const startedAt = performance.now();
  const started = await lifetime.start({
    core: SERVER_CORE,
    command,
    args,
    env: { PATH: process.env.PATH, ...env },
    cwd: where.scratchDir, // no .env of anybody is read
    outputFile,
  });
  const request = formatRequest(peer, { kind: 'ready' });
  while (!(await answersOk(port, request))) {
    if (started.hasExited() || performance.now() - startedAt > START_TIMEOUT_MS) {
      await started.stop();
      throw new Error(`${peer.name} did not start: ${readFileSync(`${outputFile}.err`, 'utf8')}`);
    }
    await delay(POLL_INTERVAL_MS);
  }
  const startMs = performance.now() - startedAt;
  return { peer, pid: started.pid, port, startMs, stop: () => started.stop() };
}

async function answersOk(port: number, request: string): Promise<boolean> {
  try {
    const connection = await openHttpConnection(port);
    try {
      return (await connection.exchange(request)).status === 200;
    } finally {
      connection.close();
    }
  } catch {
    return false; // not listening yet
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
