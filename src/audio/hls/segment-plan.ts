/** Samples in one frame of AAC-LC (ISO/IEC 14496-3 §4.5.2.1.1: frameLengthFlag 0). */
export const FRAME_SAMPLES = 1024;

/**
 * Samples by which the encoder is late: its first frame decodes to what was before the track.
 * ffmpeg's own `aac` encoder has exactly one frame (`initial_padding`, measured with 5.1).
 */
export const PRIMING_SAMPLES = FRAME_SAMPLES;

/** Segments are as near to this as whole frames allow, and never above. */
const SEGMENT_SECONDS = 6;

/** How a track of known length is cut; every segment follows from it, none is stored. */
export interface SegmentPlan {
  readonly sampleRateHz: number;
  /** samples per channel that are heard */
  readonly samples: number;
  /** frames that carry them, the priming frame included */
  readonly frames: number;
  /** frames of every segment but the first, which has the priming frame besides, and the last */
  readonly framesPerSegment: number;
  readonly segmentCount: number;
  /** for EXT-X-TARGETDURATION: no segment is longer */
  readonly targetDurationSeconds: number;
}

/** One Media Segment: the frames it holds, and which samples of the track they let us hear. */
export interface Segment {
  /** counted from 0 */
  readonly number: number;
  readonly firstFrame: number;
  readonly frameCount: number;
  /** the first sample heard, at the output's rate */
  readonly startSample: number;
  /** samples heard; the EXTINF is this over the sample rate */
  readonly samples: number;
}

/**
 * Cuts a track into segments of whole frames. Frame n decodes to the samples from
 * `1024 n - PRIMING_SAMPLES` on, so the first segment has one frame more than is heard of it, and
 * all segments but the last are heard equally long.
 *
 * @param samples samples per channel at `sampleRateHz`; an integer, 1 or more
 * @throws RangeError for anything else: a length is looked at before it comes here
 */
export function planSegments(sampleRateHz: number, samples: number): SegmentPlan {
  for (const value of [sampleRateHz, samples]) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`no length: ${value}`);
  }
  const framesPerSegment = Math.max(
    1,
    Math.floor((SEGMENT_SECONDS * sampleRateHz) / FRAME_SAMPLES),
  );
  const heardFrames = Math.ceil(samples / FRAME_SAMPLES);
  const longest = Math.min(samples, framesPerSegment * FRAME_SAMPLES);
  return {
    sampleRateHz,
    samples,
    frames: PRIMING_SAMPLES / FRAME_SAMPLES + heardFrames,
    framesPerSegment,
    segmentCount: Math.ceil(heardFrames / framesPerSegment),
    targetDurationSeconds: Math.ceil(longest / sampleRateHz),
  };
}

/** The segment of that number; undefined when the track has none. */
export function segmentOf(plan: SegmentPlan, number: number): Segment | undefined {
  if (!Number.isInteger(number) || number < 0 || number >= plan.segmentCount) return undefined;
  const primingFrames = PRIMING_SAMPLES / FRAME_SAMPLES;
  const firstFrame = number === 0 ? 0 : number * plan.framesPerSegment + primingFrames;
  const endFrame = Math.min((number + 1) * plan.framesPerSegment + primingFrames, plan.frames);
  const startSample = number * plan.framesPerSegment * FRAME_SAMPLES;
  const endSample = Math.min(startSample + plan.framesPerSegment * FRAME_SAMPLES, plan.samples);
  return {
    number,
    firstFrame,
    frameCount: endFrame - firstFrame,
    startSample,
    samples: endSample - startSample,
  };
}
