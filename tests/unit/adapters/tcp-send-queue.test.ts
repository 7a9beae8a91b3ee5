import { once } from 'node:events';
import { connect, createServer, Socket, type AddressInfo, type Server } from 'node:net';
import { createSendQueueReader } from '../../../src/adapters/tcp-send-queue';

/** More than any kernel holds for one connection. */
const FLOOD = Buffer.alloc(32 * 1024 * 1024);

let server: Server;
let client: Socket;
let served: Socket;

/** A connection whose client reads nothing. */
async function open(listenOn: string, connectTo: string): Promise<void> {
  server = createServer().listen(0, listenOn);
  await once(server, 'listening');
  const connection = once(server, 'connection');
  client = connect((server.address() as AddressInfo).port, connectTo).pause();
  [served] = (await connection) as [Socket];
  served.on('error', () => undefined);
}

/** Readings of the table, each a new one, until one satisfies. */
async function readUntil(
  isWanted: (bytes: number | undefined) => boolean,
): Promise<number | undefined> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const bytes = await createSendQueueReader()(served);
    if (isWanted(bytes)) return bytes;
  }
  throw new Error('the queue never came to what is wanted');
}

describe('createSendQueueReader()', () => {
  afterEach(async () => {
    client.destroy();
    served.destroy();
    server.close();
    if (server.listening) await once(server, 'close');
  });

  describe.each([
    ['IPv4', '127.0.0.1', '127.0.0.1', '127.0.0.1'],
    ['IPv6', '::1', '::1', '::1'],
    ['IPv4 on a socket of IPv6', '::', '127.0.0.1', '::ffff:127.0.0.1'],
    ['IPv6 on a socket for both', '::', '::1', '::1'],
    ['another IPv4 address of the host', '127.1.2.3', '127.1.2.3', '127.1.2.3'],
  ])('over %s', (_family, listenOn, connectTo, localAddress) => {
    beforeEach(() => open(listenOn, connectTo));

    it('shows what a client that does not read has not taken', async () => {
      expect(served.localAddress).toBe(localAddress);
      expect(await createSendQueueReader()(served)).toBe(0);
      served.write(FLOOD);
      const bytes = await readUntil((queued) => (queued ?? 0) > 0);
      expect(bytes).toBeLessThanOrEqual(FLOOD.length);
    });

    it('shows nothing once the client has taken it all', async () => {
      let receivedBytes = 0;
      const all = new Promise<void>((resolve) => {
        client.on('data', (chunk) => {
          receivedBytes += chunk.length;
          if (receivedBytes === FLOOD.length) resolve();
        });
      });
      served.write(FLOOD);
      await readUntil((queued) => (queued ?? 0) > 0);
      client.resume();
      await all;
      expect(await readUntil((queued) => queued === 0)).toBe(0);
    });
  });

  it('tells connections apart', async () => {
    await open('127.0.0.1', '127.0.0.1');
    const idle = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [servedIdle] = (await once(server, 'connection')) as [Socket];
    served.write(FLOOD);
    await readUntil((queued) => (queued ?? 0) > 0);

    const read = createSendQueueReader();
    expect(await read(servedIdle)).toBe(0);
    expect(await read(served)).toBeGreaterThan(0);
    idle.destroy();
    servedIdle.destroy();
  });

  it('knows nothing of a connection that is over, or that never was', async () => {
    await open('127.0.0.1', '127.0.0.1');
    served.destroy();
    await once(served, 'close');
    expect(await createSendQueueReader()(served)).toBeUndefined();
    expect(await createSendQueueReader()(new Socket())).toBeUndefined();
  });
});
