import { type Response } from 'express';

/**
 * Sends a JSON answer. Not by `res.json()`: Express would evaluate the request's preconditions once
 * more, by rules of its own, and turn a planned 200 into a 304.
 */
export function sendJson(res: Response, body: unknown): void {
  const content = JSON.stringify(body);
  res
    .set('Content-Type', 'application/json; charset=utf-8')
    .set('Content-Length', String(Buffer.byteLength(content)))
    .end(content);
}
