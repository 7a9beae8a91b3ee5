import { FRAME_SAMPLES, segmentOf, type SegmentPlan } from './segment-plan';

/** What variants may have, in bit/s, lowest first: the first one listed is what clients begin with. */
const BIT_RATES_BPS = [64_000, 128_000, 256_000] as const;

/** A frame of AAC has at most this many bits per channel (ISO/IEC 14496-3 §4.5.3). */
const MAX_BITS_PER_FRAME = 6144;

/** Bits a frame costs in a segment besides its own: its size in `trun`. */
const FRAME_OVERHEAD_BITS = 32;
/** What of a segment is not frames: styp, moof without the sizes, the head of mdat; over 6 s. */
const SEGMENT_OVERHEAD_BPS = 250;
/** The encoder's rate control may be above its bit rate for a segment; the most measured was 3 %. */
const PEAK_FACTOR = 1.1;

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
 * that AAC cannot have at this sample rate, but always the lowest.
 */
export function variantBitRates(source: VariantSource): readonly number[] {
  const codecLimit = (MAX_BITS_PER_FRAME * source.channels * source.sampleRateHz) / FRAME_SAMPLES;
  const limit = Math.min(source.sourceBitRateBps ?? Infinity, codecLimit);
  return BIT_RATES_BPS.filter((bitRateBps, i) => i === 0 || bitRateBps <= limit);
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
  const overheadBps = (FRAME_OVERHEAD_BITS * sampleRateHz) / FRAME_SAMPLES + SEGMENT_OVERHEAD_BPS;
  const variants = bitRatesBps.flatMap((bitRateBps) => [
    '#EXT-X-STREAM-INF:' +
      `BANDWIDTH=${Math.ceil(bitRateBps * PEAK_FACTOR + overheadBps)},` +
      `AVERAGE-BANDWIDTH=${Math.ceil(bitRateBps + overheadBps)},` +
      'CODECS="mp4a.40.2"',
    mediaUrl(bitRateBps),
  ]);
  return lines(['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-INDEPENDENT-SEGMENTS', ...variants]);
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
