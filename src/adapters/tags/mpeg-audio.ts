import { type ByteSource } from './byte-source';
import { type FrameHeader, parseFrameHeader } from './mpeg-frame';

/** What the frames of an MPEG audio or ADTS stream say together. */
export interface MpegAudio {
  readonly codec: FrameHeader['codec'];
  readonly sampleRateHz: number;
  readonly channels: number | null;
  readonly durationSeconds: number;
  readonly bitRateBps: number;
  /** not every frame was counted, and their bit rates differ */
  readonly isEstimate: boolean;
}

export interface MpegSpan {
  /** behind any ID3v2 tag */
  readonly first: number;
  /** before any APEv2 and ID3v1 tag, exclusive */
  readonly end: number;
}

const BLOCK_BYTES = 256 * 1024;
const WINDOW_BYTES = 64 * 1024;
// Up to here every frame is counted; beyond, windows spread over the track are, at most this much.
const LARGEST_WALK_BYTES = 16 * 1024 * 1024;
const LONGEST_WALK_MS = 1000;
// Frames that fit each other before they are believed to be frames.
const FRAME_CHAIN = 3;
const NEAR_FIRST_FRAME_BYTES = 16 * 1024;
const FAR_FIRST_FRAME_BYTES = 1024 * 1024;
const CBR_WINDOWS = 16;

/**
 * Duration and rates of an MP1, MP2, MP3 or ADTS stream.
 *
 * From the frame count in the first frame (Xing, Info, VBRI) when it is there and plausible. Else
 * frames are counted: all of a small track, of a large one those in windows spread evenly, which
 * is exact for a constant bit rate and within about a percent for others.
 *
 * @param now milliseconds; counting ends after a second with what was seen until then
 * @returns undefined when there are no frames
 */
export async function readMpegAudio(
  source: ByteSource,
  span: MpegSpan,
  now: () => number,
): Promise<MpegAudio | undefined> {
  const start = await findFirstFrame(source, span);
  if (start === undefined) return undefined;
  const frameAt = span.first + start;
  const bytes = await source.read(frameAt, 4 * 1024);
  const frame = parseFrameHeader(bytes, 0);
  if (!frame) return undefined;

  const stated = readStatedFrames(bytes, frame);
  const audio = { first: frameAt + (stated === null ? 0 : frame.lengthBytes), end: span.end };
  const count =
    stated === null ? null : { samples: stated * frame.samples, bytes: lengthOf(audio) };
  if (count && isPlausible(count, frame)) return describe(frame, audio, count);
  return describe(frame, audio, await countFrames(source, audio, frame, now));
}

/** Samples in so many bytes of audio. */
interface FrameCount {
  readonly samples: number;
  readonly bytes: number;
  readonly isEstimate?: boolean;
}

function describe(frame: FrameHeader, audio: MpegSpan, count: FrameCount): MpegAudio | undefined {
  if (count.samples === 0) return undefined;
  const durationSeconds = (lengthOf(audio) * count.samples) / count.bytes / frame.sampleRateHz;
  const { codec, sampleRateHz, channels } = frame;
  const bitRateBps = (lengthOf(audio) * 8) / durationSeconds;
  const isEstimate = count.isEstimate === true;
  return { codec, sampleRateHz, channels, durationSeconds, bitRateBps, isEstimate };
}

function lengthOf(span: MpegSpan): number {
  return span.end - span.first;
}

/** A count that belongs to another length of audio (hostile, or cut in two) is not believed. */
function isPlausible({ samples, bytes }: FrameCount, frame: FrameHeader): boolean {
  const bitRateBps = (bytes * 8 * frame.sampleRateHz) / samples;
  return samples > 0 && bitRateBps >= 4000 && bitRateBps <= 700_000;
}

/** @see Xing: side information, then `Xing` or `Info`, flags, frames; VBRI: at byte 36 */
function readStatedFrames(bytes: Buffer, frame: FrameHeader): number | null {
  if (frame.sideInfoBytes === null || bytes.length < 60) return null;
  const xing = 4 + frame.sideInfoBytes;
  const name = bytes.toString('latin1', xing, xing + 4);
  if (name === 'Xing' || name === 'Info') {
    return (bytes.readUInt32BE(xing + 4) & 1) === 1 ? bytes.readUInt32BE(xing + 8) : 0;
  }
  return bytes.toString('latin1', 36, 40) === 'VBRI' ? bytes.readUInt32BE(50) : null;
}

/** Most tracks begin with a frame; some have a megabyte of something else in front. */
async function findFirstFrame(source: ByteSource, span: MpegSpan): Promise<number | undefined> {
  const near = await source.read(span.first, Math.min(NEAR_FIRST_FRAME_BYTES, lengthOf(span)));
  const start = findFrames(near, 0);
  if (start !== undefined || lengthOf(span) <= NEAR_FIRST_FRAME_BYTES) return start;
  return findFrames(
    await source.read(span.first, Math.min(FAR_FIRST_FRAME_BYTES, lengthOf(span))),
    0,
  );
}

/** Offset of the first frame that is followed by others of its kind, or by the end. */
function findFrames(bytes: Buffer, from: number, kind?: number): number | undefined {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (isFrameChain(bytes, at, kind)) return at;
  }
  return undefined;
}

function isFrameChain(bytes: Buffer, from: number, kind?: number): boolean {
  let at = from;
  let expected = kind;
  for (let count = 0; count < FRAME_CHAIN; count += 1) {
    const frame = parseFrameHeader(bytes, at);
    // the end may come early, but one header alone is found in any noise
    if (!frame) return count >= 2 && at + 8 > bytes.length;
    if (expected !== undefined && frame.kind !== expected) return false;
    expected = frame.kind;
    at += frame.lengthBytes;
  }
  return true;
}

async function countFrames(
  source: ByteSource,
  audio: MpegSpan,
  frame: FrameHeader,
  now: () => number,
): Promise<FrameCount> {
  const deadlineMs = now() + LONGEST_WALK_MS;
  const hasTime = (): boolean => now() < deadlineMs;
  if (lengthOf(audio) <= CBR_WINDOWS * WINDOW_BYTES) {
    return (await countAll(source, audio, frame.kind, () => true)) ?? createTally();
  }
  const spread = await countWindows(source, audio, frame.kind, { most: CBR_WINDOWS, hasTime });
  const [bitRateBps] = spread.bitRates;
  if (spread.bitRates.size === 1 && bitRateBps) {
    return { samples: frame.sampleRateHz * 8, bytes: bitRateBps };
  }
  const estimate = { ...spread, isEstimate: true };
  if (!hasTime()) return estimate;
  if (lengthOf(audio) <= LARGEST_WALK_BYTES) {
    return (await countAll(source, audio, frame.kind, hasTime)) ?? estimate;
  }
  const most = LARGEST_WALK_BYTES / WINDOW_BYTES;
  return {
    ...(await countWindows(source, audio, frame.kind, { most, hasTime })),
    isEstimate: true,
  };
}

/** @returns undefined when there was no time to count to the end */
async function countAll(
  source: ByteSource,
  audio: MpegSpan,
  kind: number,
  hasTime: () => boolean,
): Promise<FrameCount | undefined> {
  const tally = createTally();
  let position = audio.first;
  while (position + 8 <= audio.end) {
    if (!hasTime()) return undefined;
    const bytes = await source.read(position, Math.min(BLOCK_BYTES, audio.end - position));
    const usedBytes = countBlock(bytes, 0, kind, tally);
    // the rest of a block is a frame that goes on in the next one, unless there is no next one
    if (usedBytes === 0 || position + bytes.length >= audio.end) break;
    position += usedBytes;
  }
  return { samples: tally.samples, bytes: lengthOf(audio) };
}

interface Tally {
  samples: number;
  bytes: number;
  readonly bitRates: Set<number | null>;
}

function createTally(): Tally {
  return { samples: 0, bytes: 0, bitRates: new Set() };
}

async function countWindows(
  source: ByteSource,
  audio: MpegSpan,
  kind: number,
  limits: { readonly most: number; readonly hasTime: () => boolean },
): Promise<Tally> {
  const tally = createTally();
  const room = lengthOf(audio) - WINDOW_BYTES;
  for (let i = 0; i < limits.most && (i === 0 || limits.hasTime()); i += 1) {
    // multiples of the golden ratio: wherever this ends, what was seen is spread evenly
    const offset = Math.floor(((i * 0.6180339887498949) % 1) * room);
    const bytes = await source.read(audio.first + offset, WINDOW_BYTES);
    const start = findFrames(bytes, 0, kind);
    if (start !== undefined) countBlock(bytes, start, kind, tally);
  }
  return tally;
}

/** @returns offset behind the last whole frame, or behind noise that holds none */
function countBlock(bytes: Buffer, from: number, kind: number, tally: Tally): number {
  let at = from;
  while (at + 8 <= bytes.length) {
    const frame = parseFrameHeader(bytes, at);
    if (frame?.kind !== kind) {
      const next = findFrames(bytes, at + 1, kind);
      if (next === undefined) return bytes.length;
      at = next;
      continue;
    }
    if (at + frame.lengthBytes > bytes.length) return at;
    tally.samples += frame.samples;
    tally.bytes += frame.lengthBytes;
    tally.bitRates.add(frame.bitRateBps);
    at += frame.lengthBytes;
  }
  return at;
}
