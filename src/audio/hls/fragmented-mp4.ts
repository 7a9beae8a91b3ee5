import { Buffer } from 'node:buffer';
import { formatGaplessTag } from '../itunes-gapless';
import { BOX_HEADER_BYTES, formatBox, formatFullBox, uint16, uint32, uint64 } from '../mp4-box';
import { SAMPLE_RATES_HZ } from './adts';
import { FRAME_SAMPLES, PRIMING_SAMPLES, type Segment, type SegmentPlan } from './segment-plan';

const TRACK_ID = 1;
/** sample_depends_on 2: a frame of AAC needs no other to be decoded (ISO/IEC 14496-12 §8.8.3.1) */
const SYNC_SAMPLE_FLAGS = 0x02000000;
const UNITY_MATRIX = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000].map(uint32);
const UNDETERMINED_LANGUAGE = 0x55c4;

/** A variant as its init segment describes it. */
export interface AacTrack {
  readonly plan: SegmentPlan;
  readonly channels: 1 | 2;
  readonly bitRateBps: number;
}

/**
 * The Media Initialization Section: one AAC track without samples.
 *
 * Its edit list starts the presentation behind the encoder's delay, so that players drop it; ffmpeg
 * needs the tag of iTunes for that. As CMAF has it, durations of a fragmented track are 0 but for `mehd`, and the edit lasts to the end.
 *
 * @see ISO/IEC 23000-19 §7.3.1, §7.5; ISO/IEC 14496-12 §8
 */
export function initSegment(track: AacTrack): Buffer {
  const { plan } = track;
  const movieHeader = formatFullBox('mvhd', 0, 0, [
    ...[0, 0, plan.sampleRateHz, 0].map(uint32), // created, modified, timescale, duration
    uint32(0x10000), // rate 1
    uint16(0x100), // volume 1
    Buffer.alloc(10),
    ...UNITY_MATRIX,
    Buffer.alloc(24),
    uint32(TRACK_ID + 1),
  ]);
  const extendsDefaults = [TRACK_ID, 1, FRAME_SAMPLES, 0, SYNC_SAMPLE_FLAGS].map(uint32);
  const movieExtends = formatBox('mvex', [
    formatFullBox('mehd', 1, 0, [uint64(plan.samples)]),
    formatFullBox('trex', 0, 0, extendsDefaults),
  ]);
  const brands = ['iso6', 'iso6', 'cmfc', 'mp41'].map((brand) => Buffer.from(brand, 'latin1'));
  const [major, ...compatible] = brands as [Buffer, ...Buffer[]];
  return Buffer.concat([
    formatBox('ftyp', [major, uint32(0), ...compatible]),
    formatBox('moov', [movieHeader, trackBox(track), movieExtends, gaplessTag(plan)]),
  ]);
}

/**
 * One Media Segment.
 *
 * The last frame of a track counts only as far as the track goes, so that the sum of all durations
 * is what is heard of it and the delay before.
 *
 * @param frames as many as the segment has, without ADTS headers
 * @throws RangeError when their number is another
 * @see ISO/IEC 23000-19 §7.3.2, ISO/IEC 14496-12 §8.8
 */
export function mediaSegment(
  plan: SegmentPlan,
  segment: Segment,
  frames: readonly Buffer[],
): Buffer {
  if (frames.length !== segment.frameCount) {
    throw new RangeError(`${frames.length} frames for a segment of ${segment.frameCount}`);
  }
  const type = formatBox('styp', [
    Buffer.from('msdh', 'latin1'),
    uint32(0),
    Buffer.from('msdhcmfs', 'latin1'),
  ]);
  // the offset in trun counts from moof's first byte, and moof's length does not depend on it
  const moofBytes = movieFragment(plan, segment, frames, 0).length;
  const moof = movieFragment(plan, segment, frames, moofBytes + BOX_HEADER_BYTES);
  return Buffer.concat([type, moof, formatBox('mdat', frames)]);
}

function movieFragment(
  plan: SegmentPlan,
  segment: Segment,
  frames: readonly Buffer[],
  dataOffset: number,
): Buffer {
  const isLast = segment.number === plan.segmentCount - 1;
  const endSample = plan.samples + PRIMING_SAMPLES;
  const lastFrame = segment.firstFrame + segment.frameCount - 1;
  const lastDuration = Math.min(FRAME_SAMPLES, endSample - lastFrame * FRAME_SAMPLES);
  const entries = frames.flatMap((frame, i) => {
    const size = uint32(frame.length);
    if (!isLast) return [size];
    return [uint32(i === frames.length - 1 ? lastDuration : FRAME_SAMPLES), size];
  });
  // default-base-is-moof, and the defaults of trex again: a segment shall not need them (CMAF §7.3.2)
  const header = [TRACK_ID, FRAME_SAMPLES, SYNC_SAMPLE_FLAGS].map(uint32);
  // data offset, sample sizes, and durations where they differ
  const runFlags = 0x1 | 0x200 | (isLast ? 0x100 : 0);
  return formatBox('moof', [
    formatFullBox('mfhd', 0, 0, [uint32(segment.number + 1)]),
    formatBox('traf', [
      formatFullBox('tfhd', 0, 0x020000 | 0x8 | 0x20, header),
      formatFullBox('tfdt', 1, 0, [uint64(segment.firstFrame * FRAME_SAMPLES)]),
      formatFullBox('trun', 0, runFlags, [uint32(frames.length), uint32(dataOffset), ...entries]),
    ]),
  ]);
}

function gaplessTag({ samples, frames }: SegmentPlan): Buffer {
  const padding = frames * FRAME_SAMPLES - PRIMING_SAMPLES - samples;
  return formatGaplessTag({ delay: PRIMING_SAMPLES, padding, samples });
}

function trackBox(track: AacTrack): Buffer {
  const { sampleRateHz } = track.plan;
  const trackHeader = formatFullBox('tkhd', 0, 0x7, [
    ...[0, 0, TRACK_ID, 0, 0].map(uint32), // created, modified, id, reserved, duration
    Buffer.alloc(8),
    ...[0, 1, 0x100, 0].map(uint16), // layer, group of alternatives, volume, reserved
    ...UNITY_MATRIX,
    ...[0, 0].map(uint32), // width and height
  ]);
  const edit = formatFullBox('elst', 0, 0, [1, 0, PRIMING_SAMPLES, 0x10000].map(uint32));
  const mediaHeader = formatFullBox('mdhd', 0, 0, [
    ...[0, 0, sampleRateHz, 0].map(uint32),
    ...[UNDETERMINED_LANGUAGE, 0].map(uint16),
  ]);
  const handler = formatFullBox('hdlr', 0, 0, [
    uint32(0),
    Buffer.from('soun', 'latin1'),
    Buffer.alloc(12),
    Buffer.from('SoundHandler\0', 'latin1'),
  ]);
  const location = formatFullBox('dref', 0, 0, [uint32(1), formatFullBox('url ', 0, 0x1, [])]);
  const sampleTable = formatBox('stbl', [
    formatFullBox('stsd', 0, 0, [uint32(1), audioSampleEntry(track)]),
    ...['stts', 'stsc', 'stco'].map((name) => formatFullBox(name, 0, 0, [uint32(0)])),
    formatFullBox('stsz', 0, 0, [0, 0].map(uint32)),
  ]);
  return formatBox('trak', [
    trackHeader,
    formatBox('edts', [edit]),
    formatBox('mdia', [
      mediaHeader,
      handler,
      formatBox('minf', [
        formatFullBox('smhd', 0, 0, [uint32(0)]),
        formatBox('dinf', [location]),
        sampleTable,
      ]),
    ]),
  ]);
}

function audioSampleEntry(track: AacTrack): Buffer {
  const { plan, channels } = track;
  return formatBox('mp4a', [
    Buffer.alloc(6),
    uint16(1), // data reference
    Buffer.alloc(8),
    ...[channels, 16, 0, 0].map(uint16), // sample size is 16 whatever the codec
    // 16.16; a rate that does not fit is 0, AudioSpecificConfig has it (ISO/IEC 14496-12 §12.2.3)
    uint32(plan.sampleRateHz < 0x10000 ? plan.sampleRateHz * 0x10000 : 0),
    elementaryStreamDescriptor(track),
  ]);
}

/** @see ISO/IEC 14496-14 §3.1.2 (`esds`), ISO/IEC 14496-1 §7.2.6 (descriptors) */
function elementaryStreamDescriptor(track: AacTrack): Buffer {
  const config = descriptor(0x05, [audioSpecificConfig(track)]);
  const decoder = descriptor(0x04, [
    Buffer.from([0x40, 0x15]), // MPEG-4 audio; an audio stream, the reserved bit set
    Buffer.alloc(3), // buffer size, not told
    ...[track.bitRateBps, track.bitRateBps].map(uint32), // most and average
    config,
  ]);
  const syncLayer = descriptor(0x06, [Buffer.from([0x02])]);
  return formatFullBox('esds', 0, 0, [
    descriptor(0x03, [uint16(0), Buffer.alloc(1), decoder, syncLayer]),
  ]);
}

/** @see ISO/IEC 14496-3 §1.6.2.1: object type 2 (LC), index of the rate, channel configuration */
function audioSpecificConfig({ plan, channels }: AacTrack): Buffer {
  const rateIndex = (SAMPLE_RATES_HZ as readonly number[]).indexOf(plan.sampleRateHz);
  if (rateIndex < 0) throw new RangeError(`no AAC sample rate: ${plan.sampleRateHz}`);
  return uint16((2 << 11) | (rateIndex << 7) | (channels << 3));
}

/** All of ours are shorter than 128 bytes, so one byte tells the length. */
function descriptor(tag: number, parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, content.length]), content]);
}
