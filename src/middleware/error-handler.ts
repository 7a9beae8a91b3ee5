import { type ServerResponse } from 'node:http';
import { type ErrorRequestHandler, type RequestHandler } from 'express';
import { AppError, type ErrorCode } from '../errors';
import { describeError } from '../observability/logger';
import { type RequestContext } from './request-context';
import { sendJson } from './send-json';

/** A code without a status does not compile. */
export const STATUS_BY_CODE: Readonly<Record<ErrorCode, number>> = {
  bad_request: 400,
  invalid_request: 400,
  unauthorized: 401,
  invalid_token: 401,
  insufficient_scope: 403,
  invalid_grant: 403,
  grant_ended: 403,
  not_found: 404,
  track_not_found: 404,
  artwork_not_found: 404,
  playback_not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  too_many_playbacks: 409,
  precondition_failed: 412,
  content_too_large: 413,
  uri_too_long: 414,
  unsupported_media_type: 415,
  range_not_satisfiable: 416,
  track_undecodable: 422,
  rate_limited: 429,
  header_fields_too_large: 431,
  internal_error: 500,
  not_implemented: 501,
  ffmpeg_unavailable: 501,
  keys_unavailable: 503,
  library_unavailable: 503,
  track_unavailable: 503,
  overloaded: 503,
  not_ready_yet: 503,
  version_not_supported: 505,
};

/** Soon enough for a listener, rare enough for a library that is being mounted. */
const RETRY_AFTER_SECONDS = 5;

/**
 * Answers of a service that does what it should: no stack helps whoever reads them. Why keys are away
 * is said where they are fetched.
 */
const EXPECTED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'keys_unavailable',
  'not_ready_yet',
  'overloaded',
]);

/** The last stop of a request that no route took. */
export function createNotFound(): RequestHandler {
  return () => {
    throw new AppError('not_found', 'There is nothing at this address');
  };
}

/** The only place where an error becomes a status. */
export function createErrorHandler(): ErrorRequestHandler {
  // Express knows an error handler by its four parameters
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  return (error: unknown, req, res, _next) => {
    answerError(error, req.context, res);
  };
}

/** Answers with what an error comes to; beside fields that are set on the response already. */
export function answerError(error: unknown, context: RequestContext, res: ServerResponse): void {
  // nobody is there, and the leaving itself is no failure
  if (context.signal.aborted && error === context.signal.reason) return;
  const failure = toAppError(error);
  const status = STATUS_BY_CODE[failure.code];
  if (EXPECTED.has(failure.code)) context.logger.warn(failure.message, { code: failure.code });
  else if (status >= 500) context.logger.error(failure.message, { error: describeError(failure) });
  if (res.headersSent) {
    context.cut('error');
    return;
  }
  if (res.destroyed) return;
  if (status === 503) res.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
  res.statusCode = status;
  res.setHeader('Cache-Control', 'no-store');
  sendJson(res, { ...formatError(failure.code, failure.message), ...failure.details });
}

/** The error answer of the API. */
export function formatError(code: ErrorCode, message: string): Record<string, string> {
  return { status: 'error', code, message };
}

function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  // Express could not decode the path
  if (error instanceof URIError) {
    return new AppError('bad_request', 'The address is not valid percent-encoded UTF-8');
  }
  return new AppError('internal_error', 'Something went wrong on our side', { cause: error });
}
