import { type ServerResponse } from 'node:http';

/**
 * Sends a JSON answer. Not by `res.json()`: Express would evaluate the request's preconditions once
 * more, by rules of its own, and turn a planned 200 into a 304.
 */
export function sendJson(res: ServerResponse, body: unknown): void {
  const content = Buffer.from(JSON.stringify(body));
  for (const [name, value] of Object.entries(describeContent(content))) res.setHeader(name, value);
  res.end(content);
}

/** What HTTP says of JSON that is ready to be sent. */
export function describeContent(content: Buffer): Readonly<Record<string, string>> {
  return {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(content.length),
  };
}
