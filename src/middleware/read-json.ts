import { type ErrorRequestHandler, type Request, type Response } from 'express';
import { AppError } from '../errors';
import { closeAfter } from './linger';

/** A report of a player takes a tenth of it. */
export const MAX_CONTENT_BYTES = 1_024;
/** As long as a head may take. */
const CONTENT_TIMEOUT_MS = 10_000;

const JSON_TYPE = /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i;

/**
 * Reads the JSON content of a request, of at most 1 kB as it stands: nothing is decoded. Call it for
 * whom it is known to speak.
 *
 * @throws AppError `unsupported_media_type`, `content_too_large`, `bad_request` or `request_timeout`
 */
export async function readJson(req: Request, res: Response): Promise<unknown> {
  const { 'content-encoding': coding = 'identity', 'content-type': type = '' } = req.headers;
  // Node takes the chunks apart, and leaves what is encoded in them as it is
  const { 'transfer-encoding': transfer = 'chunked' } = req.headers;
  if (coding.toLowerCase() !== 'identity' || transfer.toLowerCase() !== 'chunked') {
    throw new AppError('unsupported_media_type', 'The content must not be encoded');
  }
  if (!JSON_TYPE.test(type)) {
    throw new AppError('unsupported_media_type', 'The content must be application/json in UTF-8');
  }
  if (Number(req.headers['content-length'] ?? 0) > MAX_CONTENT_BYTES) throw tooLarge();
  if (req.headers.expect?.toLowerCase() === '100-continue') res.writeContinue();
  const content = await readContent(req);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content)) as unknown;
  } catch {
    throw new AppError('bad_request', 'The content is not JSON');
  }
}

/** Closes the connection after a refusal that comes before the content: the rest is no request. */
export function createUnreadContentClosing(): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    if (!req.complete && !res.headersSent) closeAfter(req, res);
    next(error);
  };
}

function readContent(req: Request): Promise<Buffer> {
  const { signal } = req.context;
  const { socket } = req;
  let stop: () => void = () => undefined;
  const content = new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = setTimeout(() => {
      reject(new AppError('request_timeout', 'The content took too long to arrive'));
    }, CONTENT_TIMEOUT_MS);
    const leave = (): void => {
      reject(signal.reason as Error);
    };
    // the parser tells nobody but its server
    const end = (): void => {
      if (req.complete) return;
      reject(new AppError('bad_request', 'The content is shorter than announced'));
    };
    stop = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', leave);
      socket.off('end', end);
    };
    signal.addEventListener('abort', leave, { once: true });
    socket.once('end', end);
    if (socket.readableEnded) end();
    // the loss of the connection is told by the signal
    req.on('error', () => undefined);
    req.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= MAX_CONTENT_BYTES) chunks.push(chunk);
      else reject(tooLarge());
    });
    req.once('end', () => {
      resolve(Buffer.concat(chunks));
    });
  });
  return content.finally(stop);
}

function tooLarge(): AppError {
  return new AppError('content_too_large', `Send at most ${MAX_CONTENT_BYTES} bytes`);
}
