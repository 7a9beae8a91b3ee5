import { CATALOGUE_QUERY } from '../controllers/catalogue-controller';
import { ARTWORK_PIXELS } from '../services/artwork-options';
import {
  LONGEST_START_SECONDS,
  MAX_BITRATE_KBPS,
  TRANSCODE_BITRATES,
  TRANSCODE_CHOICES,
  DEFAULT_BITRATES,
} from '../services/transcode-options';
import { DEFAULT_PIXELS_PER_SECOND, WAVEFORM_BOUNDS, WAVEFORM_CHOICES } from '../services/waveform';
import { type JsonSchema } from './schemas';

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly description: string;
  readonly schema: JsonSchema;
  readonly example?: string | number;
}

/** The name and state of HLS addresses come out of playlists. */
const OUT_OF_PLAYLIST = 'as the playlist names it';

const text = { type: 'string' };

function bounded({ least, most }: { readonly least: number; readonly most: number }): JsonSchema {
  return { type: 'integer', minimum: least, maximum: most };
}

function word(values: readonly string[]): JsonSchema {
  return { type: 'string', enum: values };
}

/** All bit rates there are; each format has some of them. */
const BIT_RATES = [...new Set(Object.values(TRANSCODE_BITRATES).flat())].sort((a, b) => a - b);

function listBitRates(): string {
  return Object.entries(TRANSCODE_BITRATES)
    .filter(([, rates]) => rates.length > 0)
    .map(([format, rates]) => {
      const usual = DEFAULT_BITRATES[format as keyof typeof DEFAULT_BITRATES];
      return `${format}: ${rates.join(', ')} (${usual} if not asked for)`;
    })
    .join('; ');
}

/** What requests may say, by the names of the components. */
const PARAMETERS = {
  trackId: {
    name: 'trackId',
    in: 'path',
    description:
      'The path of the track below the library without its extension, such as `Glass Harbour/Night Ferry/01 Leaving Port`. In the address it is one segment: `Glass%20Harbour%2FNight%20Ferry%2F01%20Leaving%20Port`',
    schema: { type: 'string', minLength: 1 },
    example: 'first-light',
  },
  variant: {
    name: 'variant',
    in: 'path',
    description: `Bit rate, ${OUT_OF_PLAYLIST}`,
    schema: { type: 'string', pattern: '^\\d+(\\.\\d+)?k$' },
    example: '128k',
  },
  validator: {
    name: 'validator',
    in: 'path',
    description: `State of the track, ${OUT_OF_PLAYLIST}`,
    schema: text,
  },
  segment: {
    name: 'segment',
    in: 'path',
    description: `\`init.mp4\` or \`<number>.m4s\`, ${OUT_OF_PLAYLIST}`,
    schema: { type: 'string', pattern: '^(init\\.mp4|\\d{1,6}\\.m4s)$' },
    example: 'init.mp4',
  },
  playbackId: {
    name: 'id',
    in: 'path',
    description: 'Of a playback',
    schema: { type: 'string', pattern: '^[\\w-]{22}$' },
  },
  asset: { name: 'asset', in: 'path', description: 'A file of the page', schema: text },
  format: {
    name: 'format',
    in: 'query',
    description:
      'Another form of the track; absent or `original`: the stored file. `auto` takes what fits `maxBitrate`',
    schema: word(TRANSCODE_CHOICES.format),
  },
  bitrate: {
    name: 'bitrate',
    in: 'query',
    description: `kbit/s, constant. ${listBitRates()}`,
    schema: { type: 'integer', enum: BIT_RATES },
  },
  maxBitrate: {
    name: 'maxBitrate',
    in: 'query',
    description: 'kbit/s; of `format=auto` only',
    schema: bounded(MAX_BITRATE_KBPS),
  },
  start: {
    name: 'start',
    in: 'query',
    description: 'Begins there; seconds, with at most three decimals. With `format` only',
    schema: { type: 'number', minimum: 0, maximum: LONGEST_START_SECONDS },
  },
  gain: {
    name: 'gain',
    in: 'query',
    description: 'Plays at the target loudness of the service. With `format` only',
    schema: word(TRANSCODE_CHOICES.gain),
  },
  channels: {
    name: 'channels',
    in: 'query',
    description: 'One or two. With `format` only',
    schema: word(TRANSCODE_CHOICES.channels),
  },
  pixelsPerSecond: {
    name: 'pixelsPerSecond',
    in: 'query',
    description: '`samples_per_pixel` is the nearest whole number',
    schema: { ...bounded(WAVEFORM_BOUNDS.pixelsPerSecond), default: DEFAULT_PIXELS_PER_SECOND },
  },
  points: {
    name: 'points',
    in: 'query',
    description: 'Instead of `pixelsPerSecond`: at most so many for the whole track',
    schema: bounded(WAVEFORM_BOUNDS.points),
  },
  bits: {
    name: 'bits',
    in: 'query',
    description: 'Of each value',
    schema: { ...word(WAVEFORM_CHOICES.bits), default: WAVEFORM_CHOICES.bits[0] },
  },
  waveformFormat: {
    name: 'format',
    in: 'query',
    description: 'JSON or the binary form; absent: as `Accept` prefers',
    schema: word(WAVEFORM_CHOICES.format),
  },
  size: {
    name: 'size',
    in: 'query',
    description: 'Larger side in pixels at most; `original` is the stored picture',
    schema: { anyOf: [bounded(ARTWORK_PIXELS), { const: 'original' }], default: 'original' },
  },
  v: {
    name: 'v',
    in: 'query',
    description:
      'The validator that the client knows; while it is the current one, the answer may be kept: a picture for a year, a track for a day',
    schema: text,
  },
  search: {
    name: 'search',
    in: 'query',
    description:
      'Words that must all be in title, artist, album or file name, without regard to case and accents',
    schema: { type: 'string', maxLength: CATALOGUE_QUERY.mostSearchCharacters },
  },
  cursor: {
    name: 'cursor',
    in: 'query',
    description: '`nextCursor` of the page before; stays good while the library changes',
    schema: text,
  },
  limit: {
    name: 'limit',
    in: 'query',
    description: 'Tracks on a page at most',
    schema: {
      ...bounded({ least: 1, most: CATALOGUE_QUERY.mostTracks }),
      default: CATALOGUE_QUERY.usualTracks,
    },
  },
  takeover: {
    name: 'takeover',
    in: 'query',
    description: 'Ends the oldest playback of the subject where another would be one too many',
    schema: { type: 'boolean', default: false },
  },
  range: {
    name: 'Range',
    in: 'header',
    description: 'Bytes, one range or several (RFC 9110 §14.2)',
    schema: text,
    example: 'bytes=0-1',
  },
  ifRange: {
    name: 'If-Range',
    in: 'header',
    description: 'The range counts only while this is the entity tag or date',
    schema: text,
  },
  ifMatch: { name: 'If-Match', in: 'header', description: 'Else 412', schema: text },
  ifNoneMatch: { name: 'If-None-Match', in: 'header', description: 'Else 304', schema: text },
  ifModifiedSince: {
    name: 'If-Modified-Since',
    in: 'header',
    description: 'Else 304; not looked at beside `If-None-Match`',
    schema: text,
  },
  ifUnmodifiedSince: {
    name: 'If-Unmodified-Since',
    in: 'header',
    description: 'Else 412; not looked at beside `If-Match`',
    schema: text,
  },
  requestId: {
    name: 'X-Request-Id',
    in: 'header',
    description: 'Comes back, and stands in our log',
    schema: text,
  },
} as const satisfies Readonly<Record<string, Parameter>>;

export type ParameterName = keyof typeof PARAMETERS;

/** Of what has a range, of what has a date, and of what has an entity tag alone. */
export const TAG_FIELDS = ['ifMatch', 'ifNoneMatch'] as const;
export const DATE_FIELDS = [...TAG_FIELDS, 'ifModifiedSince', 'ifUnmodifiedSince'] as const;
export const RANGE_FIELDS = ['range', 'ifRange', ...DATE_FIELDS] as const;

/** The components. */
export function describeParameters(): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries<Parameter>(PARAMETERS).map(([id, parameter]) => [
      id,
      { ...parameter, required: parameter.in === 'path' },
    ]),
  );
}

export function useParameters(names: readonly ParameterName[]): readonly unknown[] {
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
}
