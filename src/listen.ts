import { type AddressInfo, type Server } from 'node:net';
import { type Config } from './config';
import { describeError, type Logger } from './observability/logger';

/** Connections that wait to be accepted; the kernel's own bound is 4,096 on current systems. */
const BACKLOG = 2_048;

type ListenConfig = Pick<Config, 'host' | 'port'>;

/** Listens where the configuration says; rejects when that is not possible. */
export function listen(server: Server, { host, port }: ListenConfig): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, backlog: BACKLOG, ...(host === undefined ? {} : { host }) }, () => {
      server.off('error', reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

/** Says why there is nothing to listen on. */
export function logCannotListen(
  logger: Logger,
  { host, port }: ListenConfig,
  error: unknown,
): void {
  logger.error('cannot listen', { host, port, reason: describeError(error).message });
}
