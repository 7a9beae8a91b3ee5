import { buffer } from 'node:stream/consumers';
import { readMp3Gapless } from '../audio/mp3-gapless';
import { AppError } from '../errors';
import { id3v2Length } from './audio-format';
import { type MetadataService } from './metadata-service';
import { type SelectedTrack } from './track-source';

/** The sound of a track as a decoder gives it. */
export interface SourceSound {
  readonly sampleRateHz: number;
  readonly channels: number;
  /** per channel; null where it is not known before the whole track has been decoded */
  readonly samples: number | null;
  readonly isLossless: boolean;
  readonly bitsPerSample: number | null;
  /** kbit/s on average */
  readonly bitrateKbps: number | null;
  readonly durationSeconds: number | null;
}

const HEAD_BYTES = 10;
const FRAME_BYTES = 512;

/**
 * @returns undefined when no sound was found in the track
 * @throws AppError `track_unavailable` when it could not be read, which may be otherwise next time
 */
export async function describeSound(
  selected: SelectedTrack,
  metadataService: MetadataService,
): Promise<SourceSound | undefined> {
  const { metadata, isFinal } = await metadataService.describe(selected);
  if (!isFinal) throw new AppError('track_unavailable', 'The track could not be read now');
  const { duration, sampleRate, sampleCount, channels, lossless, bitsPerSample, bitrate } =
    metadata;
  if (sampleRate === null) return undefined;
  const droppedSamples = selected.format === 'mp3' ? await readDropped(selected) : 0;
  return {
    sampleRateHz: sampleRate,
    channels: channels ?? 2,
    samples: sampleCount === null ? null : Math.max(1, sampleCount - droppedSamples),
    isLossless: lossless === true,
    bitsPerSample,
    bitrateKbps: bitrate,
    durationSeconds: duration,
  };
}

/** The duration counts whole frames; what a decoder drops of them stands in the first. */
async function readDropped({ track }: SelectedTrack): Promise<number> {
  const read = async (firstPos: number, lengthBytes: number): Promise<Buffer> => {
    const lastPos = Math.min(firstPos + lengthBytes, track.sizeBytes) - 1;
    return lastPos < firstPos ? Buffer.alloc(0) : buffer(track.read({ firstPos, lastPos }));
  };
  const gapless = readMp3Gapless(await read(id3v2Length(await read(0, HEAD_BYTES)), FRAME_BYTES));
  return gapless ? gapless.delay + gapless.padding : 0;
}
