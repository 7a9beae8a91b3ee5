import { type ServerResponse } from 'node:http';

/**
 * Sends a JSON answer. Not by `res.json()`: Express would evaluate the request's preconditions once
 * more, by rules of its own, and turn a planned 200 into a 304.
 */
export function sendJson(res: ServerResponse, body: unknown): void {
  const content = JSON.stringify(body);
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.setHeader('Content-Length', String(Buffer.byteLength(content)));
  res.end(content);
}
