import { mixFilter } from '../sample-count';
import { FRAME_SAMPLES, type Segment } from './segment-plan';

/**
 * Frames encoded before the segment's first and thrown away. What the encoder writes depends on what
 * it heard: with fewer than 4 the joins are heard, from 16 on they are as good as any other place
 * (measured at 64, 128 and 256 kbit/s; docs/decisions/0010).
 */
const LEAD_IN_FRAMES = 32;
/** Frames encoded behind the last: one half of its window, and what the encoder looks ahead. */
const LEAD_OUT_FRAMES = 2;
/** Output samples the resampler gets before the first that counts; its filter is far shorter. */
const RESAMPLER_LEAD_SAMPLES = 1024;
/**
 * A decoder is wrong for a while after a jump: Opus 80 ms, MP3 as long as its reservoir reaches
 * back, AAC a frame. A jump ends at least this long before the first sample that counts.
 */
const PRE_ROLL_SECONDS = 1;

/**
 * How to get at a place in the source: `time` by ffmpeg's own seek; `late` by the same where its time
 * stamps are {@link LATE_SECONDS} late behind a jump; `decode` from the start, which is always exact, at
 * a cost that grows with the place.
 */
export type SourceSeek = 'time' | 'late' | 'decode';

/** What is encoded, and how it is to come out. */
export interface SegmentJob {
  readonly sourceRateHz: number;
  readonly seek: SourceSeek;
  /** of the plan the segment is from */
  readonly sampleRateHz: number;
  readonly channels: 1 | 2;
  readonly bitRateBps: number;
  readonly segment: Segment;
}

/** ffmpeg's part: options around the input, and which frames of its ADTS output are the segment. */
export interface SegmentCommand {
  /** between the options that make a hostile input safe and `-i` */
  readonly inputOptions: readonly string[];
  readonly audioFilter: string;
  readonly outputOptions: readonly string[];
  /** frames to drop at the head of the output; what follows the segment's own is dropped too */
  readonly skipFrames: number;
}

/** Containers whose `-ss` of whole seconds lands on the sample asked for, as measured with 5.1. */
const EXACT_SEEK = ['mp3', 'flac', 'mp4', 'aac', 'ogg', 'wav', 'aiff'];

/**
 * Up to here a WebM is decoded from its start, which takes half a second. A jump further in must not:
 * segments would take longer than they play, and from three hours on ffmpeg would be ended for its
 * silence.
 */
const MOST_DECODED_SECONDS = 600;
/**
 * By which ffmpeg (4.1 and 5.1) is late behind each jump in a WebM of Opus in packets of 20 ms, whatever
 * the place: so segments join. Other frames are a few milliseconds off, at the one place where counting
 * ends.
 */
const LATE_SECONDS = 0.008;

/**
 * The seek that is exact to the sample, as far as there is one. In WebM and WMA ffmpeg's is not: their
 * time stamps are milliseconds, and the decoders begin somewhere in a packet.
 *
 * @param format a container by the name that the metadata answers with
 */
export function chooseSeek(
  format: string,
  segment: Pick<Segment, 'startSample'>,
  sampleRateHz: number,
): SourceSeek {
  if (EXACT_SEEK.includes(format)) return 'time';
  const isFar = segment.startSample > MOST_DECODED_SECONDS * sampleRateHz;
  return format === 'webm' && isFar ? 'late' : 'decode';
}

/**
 * The command that encodes one segment apart from all others, so that its frames are those that one
 * encoder would have written for the whole track: it begins {@link LEAD_IN_FRAMES} before, on the
 * same grid of frames, and is padded with silence where the track ends before its plan does.
 */
export function segmentCommand(job: SegmentJob): SegmentCommand {
  const { segment, sampleRateHz, channels, bitRateBps } = job;
  const { startFrame, sourceSample, dropSamples } = sourceStart(job);
  const endFrame = segment.firstFrame + segment.frameCount + LEAD_OUT_FRAMES;
  const samples = (endFrame - startFrame) * FRAME_SAMPLES;
  const { inputOptions, trim } = seekOptions(job, sourceSample);
  const filters = [
    trim,
    mixFilter(channels, sampleRateHz),
    `atrim=start_sample=${dropSamples}:end_sample=${dropSamples + samples}`,
    `apad=whole_len=${samples}`,
  ];
  return {
    inputOptions,
    audioFilter: filters.join(','),
    outputOptions: [
      ...['-c:a', 'aac', '-profile:a', 'aac_low', '-b:a', String(bitRateBps)],
      ...['-threads', '1', '-f', 'adts'],
    ],
    skipFrames: segment.firstFrame - startFrame,
  };
}

interface SourceStart {
  /** the first frame to encode */
  readonly startFrame: number;
  /** the first sample for the resampler: one that falls on a sample of the output */
  readonly sourceSample: number;
  /** samples of the resampler's output before the first to encode */
  readonly dropSamples: number;
}

function sourceStart(job: SegmentJob): SourceStart {
  const startFrame = Math.max(0, job.segment.firstFrame - LEAD_IN_FRAMES);
  const outputSample = startFrame * FRAME_SAMPLES;
  const divisor = greatestCommonDivisor(job.sourceRateHz, job.sampleRateHz);
  const outputUnit = job.sampleRateHz / divisor;
  const lead = outputUnit === 1 && job.sourceRateHz === divisor ? 0 : RESAMPLER_LEAD_SAMPLES;
  const units = Math.max(0, Math.floor((outputSample - lead) / outputUnit));
  return {
    startFrame,
    sourceSample: units * (job.sourceRateHz / divisor),
    dropSamples: outputSample - units * outputUnit,
  };
}

function seekOptions(
  { seek, sourceRateHz }: SegmentJob,
  sourceSample: number,
): { readonly inputOptions: readonly string[]; readonly trim: string } {
  if (seek === 'decode') {
    // by count: time stamps of these containers are not exact enough to cut by
    return { inputOptions: [], trim: `atrim=start_sample=${sourceSample}` };
  }
  // whole seconds: ffmpeg moves all time stamps by the value, and only whole seconds are a whole
  // number of samples at every rate
  const seconds = Math.max(0, Math.floor(sourceSample / sourceRateHz) - PRE_ROLL_SECONDS);
  const lateSamples = seek === 'late' ? Math.round(LATE_SECONDS * sourceRateHz) : 0;
  return {
    inputOptions: seconds === 0 ? [] : ['-noaccurate_seek', '-ss', String(seconds)],
    trim: `atrim=start_pts=${sourceSample - seconds * sourceRateHz + lateSamples}`,
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
