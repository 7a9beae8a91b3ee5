import { type Ffmpeg } from '../adapters/ffmpeg';
import { splitAdtsFrames } from '../audio/hls/adts';
import { mediaSegment } from '../audio/hls/fragmented-mp4';
import { mostSegmentBytes } from '../audio/hls/playlists';
import { chooseSeek, segmentCommand } from '../audio/hls/segment-command';
import { type Segment, type SegmentPlan } from '../audio/hls/segment-plan';
import { decodeTrack } from './decode-track';
import { type SourceSound } from './source-sound';
import { type SelectedTrack } from './track-source';

/** A track and how it is cut. */
export interface PackagedSound {
  readonly selected: SelectedTrack;
  readonly source: SourceSound;
  readonly plan: SegmentPlan;
  readonly channels: 1 | 2;
  readonly ffmpeg: Ffmpeg;
}

/** One segment of one variant. */
export interface WantedSegment {
  readonly bitRateBps: number;
  readonly segment: Segment;
}

const MOST_ATTEMPTS = 3;
/** Aims that much below what fits, as the encoder is no more exact than before. */
const AIM = 0.9;

/**
 * The bytes of one Media Segment, from an ffmpeg of its own.
 *
 * The encoder is far above its rate where sounds start and stop all the time (50 % measured: tones
 * switched ten times a second, at 64 kbit/s). What is more than the master playlist promises is encoded
 * again at a lower rate; after three attempts it is sent as it is.
 *
 * @throws AppError `track_undecodable`, `track_unavailable`, or `not_implemented` for a library
 *   whose tracks are no files
 */
export async function encodeSegment(
  sound: PackagedSound,
  wanted: WantedSegment,
  signal: AbortSignal,
): Promise<Buffer> {
  const mostBytes = mostSegmentBytes(sound.plan, wanted.segment, wanted.bitRateBps);
  let { bitRateBps } = wanted;
  for (let attempt = 1; ; attempt += 1) {
    const bytes = await encodeOnce(sound, { ...wanted, bitRateBps }, signal);
    if (bytes.length <= mostBytes || attempt === MOST_ATTEMPTS) return bytes;
    bitRateBps = Math.floor(((bitRateBps * mostBytes) / bytes.length) * AIM);
  }
}

async function encodeOnce(
  { selected, source, plan, channels, ffmpeg }: PackagedSound,
  { bitRateBps, segment }: WantedSegment,
  signal: AbortSignal,
): Promise<Buffer> {
  const command = segmentCommand({
    sourceRateHz: source.sampleRateHz,
    sampleRateHz: plan.sampleRateHz,
    seek: chooseSeek(selected.format, segment, plan.sampleRateHz),
    channels,
    bitRateBps,
    segment,
  });
  const chunks: Buffer[] = [];
  const decoding = {
    seekOptions: command.inputOptions,
    filter: command.audioFilter,
    outputOptions: command.outputOptions,
    muxer: 'adts',
    durationSeconds: source.durationSeconds,
  };
  await decodeTrack(ffmpeg, selected, decoding, (chunk) => void chunks.push(chunk), signal);
  const { frames } = splitAdtsFrames(Buffer.concat(chunks));
  const { skipFrames } = command;
  return mediaSegment(plan, segment, frames.slice(skipFrames, skipFrames + segment.frameCount));
}
