import { FRAME_SAMPLES, segmentOf, type Segment, type SegmentPlan } from './segment-plan';

/** What variants may have, in bit/s, lowest first: the first one listed is what clients begin with. */
const BIT_RATES_BPS = [64_000, 128_000, 256_000] as const;

/** For each channel; with half of it the encoder takes nearly twice what it was told. */
const LEAST_BIT_RATE_BPS = 16_000;

/** A frame of AAC has at most this many bits per channel (ISO/IEC 14496-3 §4.5.3). */
const MAX_BITS_PER_FRAME = 6144;

/** Bits a frame costs in a segment besides its own: its size in `trun`. */
const FRAME_OVERHEAD_BITS = 32;
/** What of a segment is not frames: styp, moof without the sizes, the head of mdat; over 6 s. */
const SEGMENT_OVERHEAD_BPS = 250;
/**
 * What the encoder may be above its bit rate for a segment. Measured at 32 to 256 kbit/s, whole
 * segments: noise, tones, sweeps 8 % above at most, with a tone switched twice a second 18 %, with
 * sounds switched ten times a second 50 %. For those there is {@link mostSegmentBytes}.
 */
const PEAK_FACTOR = 1.25;

/** What decides which variants a track is offered in. */
export interface VariantSource {
  /** undefined for lossless sources, whose bit rate says nothing about quality */
  readonly sourceBitRateBps: number | undefined;
  /** of the output */
  readonly sampleRateHz: number;
  readonly channels: 1 | 2;
}

/**
 * The bit rates a track is offered in, in bit/s, lowest first: none above the source's own and none
 * that AAC cannot have at this sample rate. Where that leaves none, the highest that it allows.
 */
export function variantBitRates(source: VariantSource): readonly number[] {
  const codecLimit = (MAX_BITS_PER_FRAME * source.channels * source.sampleRateHz) / FRAME_SAMPLES;
  const limit = Math.min(source.sourceBitRateBps ?? Infinity, codecLimit);
  const offered = BIT_RATES_BPS.filter((bitRateBps) => bitRateBps <= limit);
  if (offered.length > 0) return offered;
  // whole kbit/s, as its name in URLs
  return [Math.max(LEAST_BIT_RATE_BPS * source.channels, Math.floor(limit / 1000) * 1000)];
}

/** What a master playlist says; `mediaUrl` makes the URL of a variant's playlist. */
export interface MasterPlaylist {
  readonly bitRatesBps: readonly number[];
  readonly sampleRateHz: number;
  readonly mediaUrl: (bitRateBps: number) => string;
}

/** @see RFC 8216 §4.3.4.2; AAC-LC is `mp4a.40.2` (RFC 6381 §3.3) */
export function formatMasterPlaylist({
  bitRatesBps,
  sampleRateHz,
  mediaUrl,
}: MasterPlaylist): string {
  const variants = bitRatesBps.flatMap((bitRateBps) => [
    '#EXT-X-STREAM-INF:' +
      `BANDWIDTH=${peakBps(bitRateBps, sampleRateHz)},` +
      `AVERAGE-BANDWIDTH=${Math.ceil(bitRateBps + overheadBps(sampleRateHz))},` +
      'CODECS="mp4a.40.2"',
    mediaUrl(bitRateBps),
  ]);
  return lines(['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-INDEPENDENT-SEGMENTS', ...variants]);
}

/**
 * What a segment may take, so that the BANDWIDTH that the master playlist promises holds. A short one
 * at the end of a track counts as half a segment: no less is looked at alone (RFC 8216 §4.3.4.2).
 */
export function mostSegmentBytes(plan: SegmentPlan, segment: Segment, bitRateBps: number): number {
  const { sampleRateHz, framesPerSegment } = plan;
  const samples = Math.max(segment.samples, (framesPerSegment * FRAME_SAMPLES) / 2);
  return Math.floor((peakBps(bitRateBps, sampleRateHz) * samples) / sampleRateHz / 8);
}

function peakBps(bitRateBps: number, sampleRateHz: number): number {
  return Math.ceil(bitRateBps * PEAK_FACTOR + overheadBps(sampleRateHz));
}

function overheadBps(sampleRateHz: number): number {
  return (FRAME_OVERHEAD_BITS * sampleRateHz) / FRAME_SAMPLES + SEGMENT_OVERHEAD_BPS;
}

/** What a media playlist says; `segmentUrl` is asked with numbers counted from 0. */
export interface MediaPlaylist {
  readonly plan: SegmentPlan;
  readonly initUrl: string;
  readonly segmentUrl: (number: number) => string;
}

/**
 * The whole list of a track that is not encoded yet.
 *
 * Durations are differences of rounded positions, so that their sum is the track's duration to the
 * microsecond however many there are.
 *
 * @see RFC 8216 §4.3.3; EXT-X-MAP in a playlist of segments needs version 6, fMP4 players expect 7
 */
export function formatMediaPlaylist({ plan, initUrl, segmentUrl }: MediaPlaylist): string {
  const head = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${plan.targetDurationSeconds}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-PLAYLIST-TYPE:VOD',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    `#EXT-X-MAP:URI="${initUrl}"`,
  ];
  const microseconds = (sample: number): number => Math.round((sample * 1e6) / plan.sampleRateHz);
  const segments: string[] = [];
  for (let number = 0; number < plan.segmentCount; number += 1) {
    const segment = segmentOf(plan, number);
    if (!segment) break;
    const { startSample, samples } = segment;
    const duration = microseconds(startSample + samples) - microseconds(startSample);
    segments.push(`#EXTINF:${(duration / 1e6).toFixed(6)},`, segmentUrl(number));
  }
  return lines([...head, ...segments, '#EXT-X-ENDLIST']);
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
