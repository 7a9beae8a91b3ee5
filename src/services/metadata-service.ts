import { z } from 'zod';
import { type TagReader, TagReadingFailed, type TrackTags } from '../adapters/tag-reader';
import { MEDIA_TYPES, type AudioFormat } from './audio-format';
import { loudnessSchema } from './loudness-values';
import { formatDuration, formatText, formatWhole, formatYear } from './metadata-values';
import { type SelectedTrack } from './track-source';

/** Changes whenever the schema or the meaning of a field does; cached values of others are not read. */
export const METADATA_SHAPE_VERSION = 3;

const text = z.string().max(1000);
const whole = z.int().min(0);

/** What the API answers about a track, in this order; what is not known is null. */
export const trackMetadataSchema = z
  .strictObject({
    id: z.string(),
    title: text,
    artist: text,
    album: text.nullable(),
    albumArtist: text.nullable(),
    year: whole.nullable(),
    genre: text.nullable(),
    trackNumber: whole.nullable(),
    discNumber: whole.nullable(),
    duration: z.number().min(0).nullable().describe('seconds, with three decimals'),
    durationIsEstimate: z
      .literal(true)
      .describe('only of large tracks with a variable bit rate that do not say it')
      .exactOptional(),
    sampleCount: whole
      .nullable()
      .describe('of each channel, before the duration is rounded; null beside an estimate'),
    bitrate: whole.nullable().describe('kbit/s of the audio on average'),
    format: z.literal(Object.keys(MEDIA_TYPES) as AudioFormat[]),
    codec: text.nullable().describe("in ffprobe's words, where there is one"),
    container: text.nullable(),
    sampleRate: whole.nullable(),
    channels: whole.nullable(),
    bitsPerSample: whole.nullable(),
    lossless: z.boolean().nullable(),
    size: whole.describe('bytes of the stored file'),
    hasArtwork: z.boolean().describe('a picture stands in the tags'),
    replayGain: z
      .strictObject({
        trackGainDb: z.number().nullable(),
        trackPeak: z.number().nullable().describe('linear, 1 is full scale'),
        albumGainDb: z.number().nullable(),
        albumPeak: z.number().nullable(),
      })
      .readonly()
      .nullable(),
    lastModified: z.iso.datetime(),
    etag: z.string().describe('entity tag of the stream, strong'),
    warnings: z
      .array(text)
      .min(1)
      .readonly()
      .describe('only when something could not be read')
      .exactOptional(),
    // as measured, not as tagged; absent until that was done, and from what is cached
    loudness: loudnessSchema.exactOptional(),
  })
  .readonly();

export type TrackMetadata = z.infer<typeof trackMetadataSchema>;

export interface Description {
  readonly metadata: TrackMetadata;
  /** False when another try may say more: then it is neither cached nor given a validator. */
  readonly isFinal: boolean;
}

/** Tags, duration and technical data of tracks. */
export interface MetadataService {
  /**
   * Describes a track, whatever state its bytes are in.
   *
   * @param selected must stay open until this settles, even when nobody waits for the answer
   * @throws AppError `overloaded` when too many tracks are waiting to be read
   */
  describe(selected: SelectedTrack): Promise<Description>;
}

export interface MetadataServiceDeps {
  readonly tagReader: Pick<TagReader, 'read'>;
}

const NOTHING_READ: TrackTags = {
  text: {},
  audio: {
    codec: null,
    isLossless: null,
    container: null,
    sampleRateHz: null,
    channels: null,
    bitsPerSample: null,
    durationSeconds: null,
    bitRateBps: null,
  },
  replayGain: null,
  pictures: 0,
  pictureBytes: 0,
  problems: [],
};

const PROBLEM_WARNINGS = {
  tags: 'Some tags could not be read.',
  audio: 'The duration could not be determined.',
} as const;

const FAILURE_WARNINGS: Readonly<Record<TagReadingFailed['reason'], string>> = {
  timeout: 'Reading the tags took too long.',
  crashed: 'Reading the tags failed.',
  unreadable: 'The track could not be read.',
  closed: 'Reading the tags was interrupted.',
};

export function createMetadataService({ tagReader }: MetadataServiceDeps): MetadataService {
  return {
    async describe(selected) {
      if (selected.track.sizeBytes === 0) {
        const warnings = ['The track is empty.'];
        return { metadata: buildMetadata(selected, NOTHING_READ, warnings), isFinal: true };
      }
      try {
        const tags = await tagReader.read(selected.track, selected.format);
        const warnings = tags.problems.map((problem) => PROBLEM_WARNINGS[problem]);
        return { metadata: buildMetadata(selected, tags, warnings), isFinal: true };
      } catch (error) {
        if (!(error instanceof TagReadingFailed)) throw error;
        const warnings = [FAILURE_WARNINGS[error.reason]];
        return { metadata: buildMetadata(selected, NOTHING_READ, warnings), isFinal: false };
      }
    },
  };
}

function buildMetadata(
  { id, format, entityTag, track }: SelectedTrack,
  tags: TrackTags,
  warnings: readonly string[],
): TrackMetadata {
  const { audio } = tags;
  return {
    id,
    title: formatText(tags.text.title) ?? nameWithoutExtension(track.fileName),
    artist: formatText(tags.text.artist) ?? 'Unknown Artist',
    album: formatText(tags.text.album),
    albumArtist: formatText(tags.text.albumArtist),
    year: formatYear(tags.text.year),
    genre: formatText(tags.text.genre),
    trackNumber: formatWhole(tags.text.trackNumber),
    discNumber: formatWhole(tags.text.discNumber),
    duration: formatDuration(audio.durationSeconds),
    ...(audio.isDurationEstimate ? { durationIsEstimate: true as const } : {}),
    sampleCount: formatWhole(countSamples(tags)),
    bitrate: formatWhole(averageKbps(tags, track.sizeBytes)),
    format,
    codec: formatText(audio.codec),
    container: formatText(audio.container),
    sampleRate: formatWhole(audio.sampleRateHz),
    channels: formatWhole(audio.channels),
    bitsPerSample: formatWhole(audio.bitsPerSample),
    lossless: audio.isLossless,
    size: track.sizeBytes,
    hasArtwork: tags.pictures > 0,
    replayGain: tags.replayGain,
    lastModified: new Date(Number(track.mtimeNs / 1_000_000n)).toISOString(),
    etag: entityTag,
    ...(warnings.length > 0 ? { warnings } : {}),
  };
}

function nameWithoutExtension(fileName: string): string {
  const dot = fileName.lastIndexOf('.');
  return formatText(dot > 0 ? fileName.slice(0, dot) : fileName) ?? 'Untitled';
}

function countSamples({ audio }: TrackTags): number | null {
  const { durationSeconds, isDurationEstimate, sampleRateHz } = audio;
  return isDurationEstimate ? null : (durationSeconds ?? 0) * (sampleRateHz ?? 0);
}

function averageKbps({ audio, pictureBytes }: TrackTags, sizeBytes: number): number | null {
  if (audio.bitRateBps !== null) return audio.bitRateBps / 1000;
  if (!audio.durationSeconds) return null;
  return ((sizeBytes - pictureBytes) * 8) / audio.durationSeconds / 1000;
}
