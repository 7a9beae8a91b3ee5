import { request, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly content: Buffer;
}

export interface RequestInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

/** One request on a connection of its own; the path goes out as written, unlike with fetch. */
export function send(port: number, path: string, init: RequestInit = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: init.method ?? 'GET',
        headers: { ...init.headers } as Record<string, string>,
        agent: false,
      },
      (res) => {
        buffer(res).then((content) => {
          resolve({ status: res.statusCode ?? 0, headers: res.headers, content });
        }, reject);
      },
    );
    req.on('error', reject);
    req.end();
  });
}

/** Writes bytes as they are and returns all that comes back until the server closes. */
export function sendRaw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => (received += chunk));
    socket.on('error', reject);
    socket.on('close', () => {
      resolve(received);
    });
    socket.write(text, 'latin1');
  });
}

export function parseJson(answer: Pick<Answer, 'content'>): Record<string, unknown> {
  return JSON.parse(answer.content.toString()) as Record<string, unknown>;
}
