import { IMAGE_TYPES } from '../adapters/image-type';
import { MEDIA_TYPES } from '../services/audio-format';
import { type Operation } from './operation';
import { RANGE_FIELDS, TAG_FIELDS, type ParameterName } from './parameters';
import {
  ACCOUNT_ERRORS,
  BYTES,
  CACHED,
  COUNTED,
  describeMedia,
  JSON_TYPE,
  MADE_ERRORS,
  MEDIA_ERRORS,
  NOT_MODIFIED,
  OPENED_BY,
  OPENED_ERRORS,
  TRACK,
  TRACK_ERRORS,
} from './track-answers';

const TAG = 'Tracks';

const TRANSCODE_PARAMETERS = [
  'format',
  'bitrate',
  'maxBitrate',
  'start',
  'gain',
  'channels',
] as const satisfies readonly ParameterName[];

const ORIGINAL: Operation = {
  path: TRACK,
  method: 'get',
  id: 'getTrack',
  tag: TAG,
  summary: 'The stored file, or another form of it',
  description:
    'Without `format` the stored file, byte for byte. Other forms are converted while they are played, and kept; where their length is not known yet they are chunked and have no ranges.',
  security: OPENED_BY,
  parameters: ['trackId', ...TRANSCODE_PARAMETERS, 'v', ...RANGE_FIELDS],
  answers: describeMedia(
    Object.fromEntries(Object.values(MEDIA_TYPES).map((type) => [type, BYTES])),
    ['X-Selected-Format?'],
  ),
  errors: [...OPENED_ERRORS, ...MEDIA_ERRORS, ...MADE_ERRORS, 'not_ready_yet'],
  neverOfHead: ['not_ready_yet'],
};

const CATALOGUE: Operation = {
  path: '/api/stream',
  method: 'get',
  id: 'listTracks',
  tag: TAG,
  summary: 'The tracks of the library, by id',
  security: ['bearer'],
  parameters: ['search', 'cursor', 'limit', ...TAG_FIELDS],
  answers: {
    200: {
      description: 'One page of them',
      fields: [...CACHED, ...COUNTED, 'Content-Length'],
      content: { [JSON_TYPE]: { schema: 'CatalogueAnswer', example: 'catalogue' } },
    },
    304: NOT_MODIFIED,
  },
  errors: [...ACCOUNT_ERRORS, 'precondition_failed', 'library_unavailable', 'overloaded'],
};

const METADATA: Operation = {
  path: `${TRACK}/metadata`,
  method: 'get',
  id: 'getMetadata',
  tag: TAG,
  summary: 'Tags, duration and properties',
  security: OPENED_BY,
  parameters: ['trackId', ...TAG_FIELDS],
  answers: {
    200: {
      description: 'What is known of the track; null where it is not known',
      // an answer that another try may better has no validator
      fields: [...COUNTED, 'Cache-Control', 'Content-Length', 'ETag?'],
      content: { [JSON_TYPE]: { schema: 'MetadataAnswer', example: 'metadata' } },
    },
    304: NOT_MODIFIED,
  },
  errors: [...OPENED_ERRORS, 'precondition_failed', 'overloaded'],
};

const PREPARE: Operation = {
  path: `${TRACK}/prepare`,
  method: 'post',
  id: 'prepareTrack',
  tag: TAG,
  summary: 'Makes a form of a track for later',
  description: 'What a GET with the same parameters would make. Takes no content.',
  security: ['bearer'],
  parameters: ['trackId', ...TRANSCODE_PARAMETERS],
  answers: {
    200: {
      description: 'It is there',
      fields: [...COUNTED, 'Cache-Control', 'Content-Length'],
      content: { [JSON_TYPE]: { schema: 'PrepareAnswer', example: 'ready' } },
    },
    202: {
      description: 'It is being made',
      fields: [...COUNTED, 'Cache-Control', 'Content-Length'],
      content: { [JSON_TYPE]: { schema: 'PrepareAnswer', example: 'preparing' } },
    },
  },
  errors: [...TRACK_ERRORS, ...MADE_ERRORS],
};

const WAVEFORM: Operation = {
  path: `${TRACK}/waveform`,
  method: 'get',
  id: 'getWaveform',
  tag: TAG,
  summary: 'Peaks for a seek bar',
  description:
    'In the formats of audiowaveform, version 2. `pixelsPerSecond` and `points` exclude each other.',
  security: OPENED_BY,
  parameters: ['trackId', 'pixelsPerSecond', 'points', 'bits', 'waveformFormat', ...RANGE_FIELDS],
  answers: describeMedia({
    [JSON_TYPE]: { schema: 'Waveform', example: 'waveform' },
    'application/octet-stream': BYTES,
  }),
  errors: [...OPENED_ERRORS, ...MEDIA_ERRORS, ...MADE_ERRORS],
  neverOfHead: ['track_undecodable', 'overloaded'],
};

const LOUDNESS: Operation = {
  path: `${TRACK}/loudness`,
  method: 'get',
  id: 'getLoudness',
  tag: TAG,
  summary: 'EBU R128 loudness and ReplayGain 2.0',
  security: OPENED_BY,
  parameters: ['trackId', ...RANGE_FIELDS],
  answers: describeMedia({ [JSON_TYPE]: { schema: 'LoudnessAnswer', example: 'loudness' } }),
  errors: [...OPENED_ERRORS, ...MEDIA_ERRORS, ...MADE_ERRORS],
  neverOfHead: ['track_undecodable', 'overloaded'],
};

const ARTWORK: Operation = {
  path: `${TRACK}/artwork`,
  method: 'get',
  id: 'getArtwork',
  tag: TAG,
  summary: 'The picture of a track',
  description:
    'From its tags, else `cover`, `folder` or `front` in its folder. With a `size` it is WebP where `Accept` names it, else JPEG.',
  security: OPENED_BY,
  parameters: ['trackId', 'size', 'v', ...RANGE_FIELDS],
  answers: describeMedia(Object.fromEntries(IMAGE_TYPES.map((type) => [`image/${type}`, BYTES]))),
  errors: [
    ...OPENED_ERRORS,
    ...MEDIA_ERRORS,
    'artwork_not_found',
    'track_undecodable',
    'overloaded',
  ],
  neverOfHead: ['overloaded', 'track_undecodable'],
};

/** The list of tracks, and all of a track that is there to be heard, seen or known, but for HLS. */
export const TRACK_OPERATIONS: readonly Operation[] = [
  CATALOGUE,
  ORIGINAL,
  METADATA,
  WAVEFORM,
  LOUDNESS,
  ARTWORK,
  PREPARE,
];
