import { type ErrorCode } from '../errors';
import { type FieldUse } from './fields';
import { type Operation } from './operation';
import { ACCOUNT_ERRORS, COUNTED, JSON_TYPE, TRACK, TRACK_ERRORS } from './track-answers';

const PLAYBACKS = `${TRACK}/playback`;
const PLAYBACK = `${PLAYBACKS}/{id}`;
const TAG = 'Playback';

const ANSWERED: readonly FieldUse[] = [...COUNTED, 'Cache-Control', 'Content-Length'];
const PLAYBACK_ERRORS = [
  ...ACCOUNT_ERRORS,
  'playback_not_found',
] as const satisfies readonly ErrorCode[];

/** Addresses that open a track for who cannot send a token, and what players tell of them. */
export const PLAYBACK_OPERATIONS: readonly Operation[] = [
  {
    path: PLAYBACKS,
    method: 'post',
    id: 'beginPlayback',
    tag: TAG,
    summary: 'Addresses that open the track without a token',
    description:
      'For elements that cannot send fields. The addresses open this track and what is made of it, by GET and HEAD, until `expiresAt`; use moves the end. Takes no content.',
    security: ['bearer'],
    parameters: ['trackId', 'takeover'],
    answers: {
      201: {
        description: 'It has begun',
        fields: ANSWERED,
        content: { [JSON_TYPE]: { schema: 'PlaybackAnswer', example: 'playback' } },
      },
    },
    errors: [...TRACK_ERRORS, 'too_many_playbacks', 'overloaded'],
  },
  {
    path: PLAYBACK,
    method: 'put',
    id: 'extendPlayback',
    tag: TAG,
    summary: 'The same addresses go on for longer',
    security: ['bearer'],
    parameters: ['trackId', 'playbackId'],
    answers: {
      200: {
        description: 'They do',
        fields: ANSWERED,
        content: { [JSON_TYPE]: { schema: 'ExtensionAnswer', example: 'extension' } },
      },
    },
    errors: PLAYBACK_ERRORS,
  },
  {
    path: PLAYBACK,
    method: 'delete',
    id: 'endPlayback',
    tag: TAG,
    summary: 'The addresses open nothing any more',
    security: ['bearer'],
    parameters: ['trackId', 'playbackId'],
    answers: { 204: { description: 'It has ended, now or before', fields: COUNTED } },
    errors: PLAYBACK_ERRORS,
  },
  {
    path: `${PLAYBACK}/progress`,
    method: 'post',
    id: 'reportProgress',
    tag: TAG,
    summary: 'Where a player is',
    description:
      'After 30 s, or half the track, the play is counted, once. The only address that takes content: at most 1 kB of JSON, not encoded.',
    security: ['bearer', 'grant'],
    parameters: ['trackId', 'playbackId'],
    request: { schema: 'Progress', example: 'progress' },
    answers: {
      200: {
        description: 'It is noted',
        fields: ANSWERED,
        content: { [JSON_TYPE]: { schema: 'ProgressAnswer', example: 'progressNoted' } },
      },
    },
    errors: [...PLAYBACK_ERRORS, 'grant_ended'],
  },
];
