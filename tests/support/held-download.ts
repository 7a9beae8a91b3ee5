import { once } from 'node:events';
import { request, type Agent, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** A response of which nothing is read until `finish()`, but for what Node and the kernel buffer. */
export interface HeldDownload {
  readonly response: IncomingMessage;
  /** Reads the rest; rejects when the connection breaks. */
  finish(): Promise<Buffer>;
  leave(): void;
}

export interface HoldOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** a connection of its own unless told */
  readonly agent?: Agent;
}

export async function holdDownload(
  port: number,
  path: string,
  { headers, agent }: HoldOptions = {},
): Promise<HeldDownload> {
  const req = request({ host: '127.0.0.1', port, path, headers, agent: agent ?? false }).end();
  const [response] = (await once(req, 'response')) as [IncomingMessage];
  response.on('error', () => undefined);
  req.on('error', () => undefined);
  return {
    response,
    finish: () => buffer(response),
    leave: () => {
      req.destroy();
    },
  };
}
