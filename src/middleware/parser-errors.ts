import {
  maxHeaderSize,
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type Duplex } from 'node:stream';
import { type ErrorCode } from '../errors';
import { type Logger } from '../observability/logger';
import { ALLOWED_METHODS } from './browser-fields';
import { formatError, STATUS_BY_CODE } from './error-handler';

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
  method_not_allowed: `Use one of ${ALLOWED_METHODS}`,
};

interface ParserError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer;
}

/**
 * Answers in the API's own form what Node's parser refuses before Express sees it, and what Node
 * would answer by itself without content.
 *
 * @param server to listen on; its other settings are left alone
 */
export function answerParserErrors(server: Server, logger: Logger): void {
  // answers under way, by connection: whatever is written beside them would be read as theirs
  const unanswered = new WeakMap<Duplex, number>();
  const count = (socket: Duplex, by: number): void => {
    unanswered.set(socket, (unanswered.get(socket) ?? 0) + by);
  };
  server.prependListener('request', ({ socket }: IncomingMessage, res: ServerResponse) => {
    count(socket, 1);
    res.once('close', () => {
      count(socket, -1);
    });
  });

  server.on('clientError', (error: ParserError, socket: Duplex) => {
    const isSilent = 'bytesRead' in socket && socket.bytesRead === 0;
    if (!socket.writable || error.code === 'ECONNRESET' || isSilent || unanswered.get(socket)) {
      socket.destroy();
      return;
    }
    refuse(socket, codeOf(error), logger);
  });

  // Node would close without a word
  server.on('connect', (_req: IncomingMessage, socket: Duplex) => {
    refuse(socket, 'method_not_allowed', logger);
  });
}

function codeOf({ code = '', rawPacket }: ParserError): ErrorCode {
  const isOverflow = code === 'HPE_HEADER_OVERFLOW';
  // the parser counts the request line among the fields, the standard does not (RFC 9112 §3)
  if (isOverflow && rawPacket && !rawPacket.subarray(0, maxHeaderSize).includes('\r\n')) {
    return 'uri_too_long';
  }
  return CODE_BY_PARSER_ERROR[code] ?? 'bad_request';
}

function refuse(socket: Duplex, code: ErrorCode, logger: Logger): void {
  const status = STATUS_BY_CODE[code];
  const content = JSON.stringify(
    formatError(code, MESSAGES[code] ?? 'The request is not valid HTTP'),
  );
  const fields = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
    'Cache-Control: no-store',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(content)}`,
    ...(status === 405 ? [`Allow: ${ALLOWED_METHODS}`] : []),
  ];
  logger.info('request refused by the parser', { status, code });
  socket.on('error', () => undefined); // the client may be gone by now
  socket.end(`${fields.join('\r\n')}\r\n\r\n${content}`, () => socket.destroy());
}
