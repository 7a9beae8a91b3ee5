import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo } from 'node:net';

/** Pages of another origin than the service's, as most clients are. */
export interface PageServer {
  readonly origin: string;
  close(): void;
}

/** @param host `localhost` is another site than 127.0.0.1 */
export async function startPageServer(
  answer: RequestListener,
  host = '127.0.0.1',
): Promise<PageServer> {
  const server = createServer(answer).listen(0, host);
  await once(server, 'listening');
  return {
    origin: `http://${host}:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
    },
  };
}
