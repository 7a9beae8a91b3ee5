/**
 * Every failure the API can name. The code is part of the contract: documented in the README,
 * never renamed, mapped to a status in `middleware/error-handler.ts`.
 */
export type ErrorCode =
  | 'bad_request'
  | 'unauthorized'
  | 'invalid_token'
  | 'invalid_request'
  | 'insufficient_scope'
  | 'invalid_grant'
  | 'grant_ended'
  | 'not_found'
  | 'track_not_found'
  | 'artwork_not_found'
  | 'playback_not_found'
  | 'method_not_allowed'
  | 'request_timeout'
  | 'too_many_playbacks'
  | 'precondition_failed'
  | 'content_too_large'
  | 'uri_too_long'
  | 'unsupported_media_type'
  | 'range_not_satisfiable'
  | 'track_undecodable'
  | 'rate_limited'
  | 'header_fields_too_large'
  | 'internal_error'
  | 'not_implemented'
  | 'ffmpeg_unavailable'
  | 'version_not_supported'
  | 'library_unavailable'
  | 'track_unavailable'
  | 'overloaded'
  | 'not_ready_yet';

/**
 * An expected failure. `message` is sent to the client, so it names no path, key, host or token;
 * what only the operator may see goes into `cause`.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  /** members of the answer beside `message` */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions & { readonly details?: Readonly<Record<string, unknown>> },
  ) {
    super(message, options);
    this.details = options?.details ?? {};
  }
}
