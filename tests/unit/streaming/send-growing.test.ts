import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { sendGrowing } from '../../../src/streaming/send-growing';
import { patternedBytes } from '../../support/patterned-bytes';

const CHUNK_BYTES = 65_536;
const plan = { status: 200 as const, fields: { 'X-Planned': 'yes' } };

let server: Server;
let client: Socket;

/** A request that was sent, and its response. */
async function ask(): Promise<ServerResponse> {
  const asked = once(server, 'request');
  client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
  client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const [, res] = (await asked) as [unknown, ServerResponse];
  return res;
}

function growing(chunks: number): Readable {
  let at = 0;
  return new Readable({
    read() {
      const chunk = at < chunks ? patternedBytes(CHUNK_BYTES, at * CHUNK_BYTES) : null;
      at += 1;
      setImmediate(() => this.push(chunk));
    },
  });
}

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  client.destroy();
  server.close();
  await once(server, 'close');
});

describe('sendGrowing()', () => {
  it('sends all that comes, and counts it', async () => {
    const res = await ask();
    const answer = buffer(client);
    let sentBytes = 0;
    const outcome = await sendGrowing(res, plan, growing(5), {
      signal: new AbortController().signal,
      onSent: (bytes) => (sentBytes += bytes),
    });
    expect(outcome).toEqual({ kind: 'complete' });
    expect(sentBytes).toBe(5 * CHUNK_BYTES);
    expect((await answer).toString('latin1')).toContain('X-Planned: yes');
  });

  it('takes a write that failed for a client who left, also ahead of the signal', async () => {
    const res = await ask();
    const sending = sendGrowing(res, plan, growing(Infinity), {
      signal: new AbortController().signal,
    });
    await once(client, 'data');
    client.resetAndDestroy();
    expect(await sending).toEqual({ kind: 'client-left' });
  });

  it('tells what the source failed with', async () => {
    const res = await ask();
    const error = new Error('the disk is gone');
    const bytes = new Readable({ read: () => bytes.destroy(error) });
    const { signal } = new AbortController();
    expect(await sendGrowing(res, plan, bytes, { signal })).toEqual({ kind: 'read-failed', error });
    expect(res.headersSent).toBe(false);
  });
});
