import { type IncomingMessage } from 'node:http';
import { type RequestHandler } from 'express';
import { AppError } from '../errors';
import { countFieldLines } from '../streaming/request-fields';
import { closeAfter } from './linger';

/** uri-host with an optional port, or nothing (RFC 9110 §7.2) */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/i;

/**
 * Refuses what Node's parser lets through and RFC 9112 does not; the connection closes, as nobody
 * can say where such a request ends.
 */
export function createRequestCheck(): RequestHandler {
  return (req, res, next) => {
    const error = findFault(req);
    if (!error) {
      next();
      return;
    }
    closeAfter(req, res);
    throw error;
  };
}

/** @returns what is wrong with the head of a request, or undefined */
export function findFault(req: IncomingMessage): AppError | undefined {
  if (req.httpVersionMajor !== 1) {
    return new AppError('version_not_supported', 'Use HTTP/1.1');
  }
  if (!hasOneHost(req)) {
    return new AppError('bad_request', 'The request needs exactly one valid Host field');
  }
  const coding = req.headers['transfer-encoding'];
  if (coding !== undefined && !/(?:^|[, \t])chunked$/i.test(coding)) {
    return new AppError('bad_request', 'The length of the content cannot be told');
  }
  return undefined;
}

/** RFC 9112 §3.2; Node would keep the first of several. */
function hasOneHost({ rawHeaders, headers, httpVersion }: IncomingMessage): boolean {
  const lines = countFieldLines(rawHeaders, 'host');
  if (lines === 0) return httpVersion === '1.0';
  return lines === 1 && HOST.test(headers.host ?? '');
}
