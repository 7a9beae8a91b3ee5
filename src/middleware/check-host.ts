import { type RequestHandler } from 'express';
import { AppError } from '../errors';

/** uri-host with an optional port, or nothing (RFC 9110 §7.2) */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/i;

/**
 * HTTP/1.1 requests name one valid host (RFC 9112 §3.2). Node would refuse the lack of one by
 * itself, with no content, and keep the first of several.
 */
export function createHostCheck(): RequestHandler {
  return (req, res, next) => {
    const lines = req.rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host');
    const isMissing = lines.length === 0 && req.httpVersion === '1.1';
    if (isMissing || lines.length > 1 || !HOST.test(req.headers.host ?? '')) {
      res.set('Connection', 'close');
      throw new AppError('bad_request', 'The request needs exactly one valid Host field');
    }
    next();
  };
}
