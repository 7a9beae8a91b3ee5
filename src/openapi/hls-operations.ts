import { MEDIA_TYPES } from '../services/audio-format';
import { PLAYLIST_TYPE } from '../services/hls-packager';
import { type Operation } from './operation';
import { RANGE_FIELDS } from './parameters';
import {
  BYTES,
  describeMedia,
  MADE_ERRORS,
  MEDIA_ERRORS,
  OPENED_BY,
  OPENED_ERRORS,
  TRACK,
} from './track-answers';

/** Playlists and what they name. */
export const HLS_OPERATIONS: readonly Operation[] = [
  describeHls(
    'master.m3u8',
    { id: 'getMasterPlaylist', summary: 'The variants', parameters: [] },
    PLAYLIST_TYPE,
  ),
  describeHls(
    '{variant}/index.m3u8',
    { id: 'getMediaPlaylist', summary: 'The segments of a variant', parameters: ['variant'] },
    PLAYLIST_TYPE,
  ),
  describeHls(
    '{variant}/{validator}/{segment}',
    {
      id: 'getSegment',
      summary: 'The head of its MP4, or some seconds of it',
      parameters: ['variant', 'validator', 'segment'],
    },
    MEDIA_TYPES.mp4,
  ),
];

function describeHls(
  path: string,
  further: Pick<Operation, 'id' | 'summary' | 'parameters'>,
  type: string,
): Operation {
  return {
    path: `${TRACK}/hls/${path}`,
    method: 'get',
    tag: 'HLS',
    security: OPENED_BY,
    answers: describeMedia({ [type]: BYTES }),
    ...further,
    errors: [
      ...OPENED_ERRORS,
      ...MEDIA_ERRORS,
      ...MADE_ERRORS,
      ...(further.parameters.length > 0 ? (['not_found'] as const) : []),
    ],
    parameters: ['trackId', ...further.parameters, ...RANGE_FIELDS],
  };
}
