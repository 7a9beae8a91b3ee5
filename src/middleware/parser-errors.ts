import { randomUUID } from 'node:crypto';
import { maxHeaderSize, STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import { type Duplex } from 'node:stream';
import { AppError, type ErrorCode } from '../errors';
import { type Logger } from '../observability/logger';
import { ALLOWED_METHODS } from './allow-methods';
import { EXPOSED_FIELDS } from './browser-fields';
import { findFault } from './check-request';
import { formatError, STATUS_BY_CODE } from './error-handler';
import { exchangeOf, onIdle } from './exchange';
import { endAndLinger } from './linger';

const CODE_BY_PARSER_ERROR: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'header_fields_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'content_too_large',
  HPE_INVALID_METHOD: 'not_implemented',
};

const MESSAGES: Partial<Readonly<Record<ErrorCode, string>>> = {
  request_timeout: 'The request took too long to arrive',
  header_fields_too_large: 'The header section is too large',
  content_too_large: 'This request takes no content',
  uri_too_long: 'The address is too long',
  not_implemented: 'This method is not known here',
};

/** @see RFC 9112 §3 */
const REQUEST_LINE = /^[\w!#$%&'*+.^`|~-]+ \S+ HTTP\/\d\.\d\r?$/;

interface ParserError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer;
  /** where in the packet the parser stopped */
  readonly bytesParsed?: number;
}

export interface ParserErrorsDeps {
  readonly logger: Logger;
  readonly corsOrigin: '*' | readonly string[];
}

/**
 * Answers in the API's own form what Node's parser refuses before Express sees it, and what Node
 * would answer by itself without content. Answers that are due on the connection go first: written
 * beside them, a refusal would be read as theirs (RFC 9112 §9.3.2).
 *
 * @param server to listen on; its other settings are left alone
 */
export function answerParserErrors(server: Server, deps: ParserErrorsDeps): void {
  const refused = new WeakSet<Duplex>();
  const refuseInTurn = (socket: Duplex, error: AppError): void => {
    if (refused.has(socket)) return; // what follows a fault is no request
    refused.add(socket);
    onIdle(socket, () => {
      refuse(socket, error, deps);
    });
  };

  server.prependListener('request', exchangeOf);

  server.on('clientError', (error: ParserError, socket: Duplex) => {
    const isSilent = 'bytesRead' in socket && socket.bytesRead === 0;
    if (!socket.writable || error.code === 'ECONNRESET' || isSilent) {
      socket.destroy();
      return;
    }
    const code = codeOf(error);
    refuseInTurn(socket, new AppError(code, MESSAGES[code] ?? 'The request is not valid HTTP'));
  });

  // Node would close without a word
  server.on('connect', (req: IncomingMessage, socket: Duplex) => {
    const refusal = new AppError('method_not_allowed', `Use one of ${ALLOWED_METHODS}`);
    refuseInTurn(socket, findFault(req) ?? refusal);
  });
}

function codeOf({ code = '', rawPacket, bytesParsed = 0 }: ParserError): ErrorCode {
  const known = CODE_BY_PARSER_ERROR[code] ?? 'bad_request';
  if (!rawPacket) return known;
  if (known === 'header_fields_too_large') {
    // the parser counts the request line among the fields, the standard does not (RFC 9112 §3)
    return rawPacket.subarray(0, maxHeaderSize).includes('\r\n') ? known : 'uri_too_long';
  }
  if (known === 'not_implemented') {
    // any rubbish is an invalid method to the parser; ours is one in a line that is a request
    const text = rawPacket.toString('latin1');
    const line = text.slice(text.lastIndexOf('\n', bytesParsed) + 1).split('\n', 1)[0] ?? '';
    return REQUEST_LINE.test(line) ? known : 'bad_request';
  }
  return known;
}

function refuse(
  socket: Duplex,
  { code, message }: AppError,
  { logger, corsOrigin }: ParserErrorsDeps,
): void {
  if (!socket.writable) return; // the answer before it has closed the connection
  const requestId = randomUUID();
  const status = STATUS_BY_CODE[code];
  const content = JSON.stringify(formatError(code, message));
  const fields = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
    'Cache-Control: no-store',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(content)}`,
    `X-Request-Id: ${requestId}`,
    'Referrer-Policy: no-referrer',
    'X-Content-Type-Options: nosniff',
    `Access-Control-Expose-Headers: ${EXPOSED_FIELDS.join(',')}`,
    // the origin of a request that could not be read is not known
    corsOrigin === '*' ? 'Access-Control-Allow-Origin: *' : 'Vary: Origin',
    ...(status === 405 ? [`Allow: ${ALLOWED_METHODS}`] : []),
  ];
  logger.info('request refused', { requestId, status, code, bytesSent: content.length });
  socket.on('error', () => undefined); // the client may be gone by now
  endAndLinger(socket, `${fields.join('\r\n')}\r\n\r\n${content}`);
}
