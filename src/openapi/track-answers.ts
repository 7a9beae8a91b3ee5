import { type ErrorCode } from '../errors';
import { type FieldUse } from './fields';
import { type Answer, type Content, type Operation } from './operation';

/** What is made of a track lies below it. */
export const TRACK = '/api/stream/{trackId}';
export const OPENED_BY = ['bearer', 'grant'] as const;

/** Of everything that wants to know who asks. */
export const ACCOUNT_ERRORS = [
  'bad_request',
  'invalid_request',
  'unauthorized',
  'invalid_token',
  'insufficient_scope',
  'invalid_grant',
  'content_too_large',
  'unsupported_media_type',
  'rate_limited',
  'keys_unavailable',
] as const satisfies readonly ErrorCode[];

/** Of what opens a track. */
export const TRACK_ERRORS = [
  ...ACCOUNT_ERRORS,
  'track_not_found',
  'library_unavailable',
  'track_unavailable',
] as const satisfies readonly ErrorCode[];

/** Of what a playback grant opens, too. */
export const OPENED_ERRORS = [...TRACK_ERRORS, 'grant_ended'] as const;

/** Of what ffmpeg makes. */
export const MADE_ERRORS = [
  'track_undecodable',
  'ffmpeg_unavailable',
  'overloaded',
] as const satisfies readonly ErrorCode[];

/** Fields of what clients may keep. */
export const CACHED: readonly FieldUse[] = ['ETag', 'Cache-Control'];
/** Fields of what uses up quota. */
export const COUNTED: readonly FieldUse[] = ['RateLimit', 'RateLimit-Policy'];
const MEDIA: readonly FieldUse[] = [
  ...CACHED,
  ...COUNTED,
  'Content-Length?',
  'Accept-Ranges',
  'Last-Modified',
  'Content-Disposition',
];

/** The 304 of an entity tag. */
export const NOT_MODIFIED: Answer = { description: 'The client has it already', fields: CACHED };
export const JSON_TYPE = 'application/json';
/** No schema: whatever the media type says. */
export const BYTES: Content = {};

/** GET of bytes that have ranges. */
export function describeMedia(
  content: Readonly<Record<string, Content>>,
  further: readonly FieldUse[] = [],
): Operation['answers'] {
  const types = Object.fromEntries(Object.keys(content).map((type) => [type, BYTES]));
  return {
    200: { description: 'The whole', fields: [...MEDIA, ...further], content },
    206: {
      description: 'The ranges that were asked for',
      fields: [...MEDIA, 'Content-Range?', ...further],
      content: { ...types, 'multipart/byteranges': BYTES },
    },
    304: { ...NOT_MODIFIED, fields: [...CACHED, ...further] },
  };
}

/** Of what has preconditions and ranges. */
export const MEDIA_ERRORS = ['precondition_failed', 'range_not_satisfiable'] as const;
