import { type Buffer } from 'node:buffer';

/** Sampling frequencies by their index (ISO/IEC 14496-3 table 1.18). */
export const SAMPLE_RATES_HZ = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
  7_350,
] as const;

const HEADER_BYTES = 7;

/** What an encoder wrote: frames without their headers, all of one kind. */
export interface AdtsFrames {
  readonly sampleRateHz: number;
  readonly channels: number;
  /** views of the bytes that were given */
  readonly frames: readonly Buffer[];
}

/**
 * Splits the whole output of an ADTS encoder into its frames.
 *
 * It is our own encoder's, so nothing is searched or skipped: AAC-LC, one block per frame, no
 * checksum, no change of rate or channels, and the last frame whole.
 *
 * @throws Error when the bytes are anything else, none at all included
 * @see ISO/IEC 14496-3 §1.A.2.2
 */
export function splitAdtsFrames(bytes: Buffer): AdtsFrames {
  const frames: Buffer[] = [];
  const kind = readHeader(bytes, 0);
  for (let at = 0; at < bytes.length;) {
    const header = readHeader(bytes, at);
    if (header.sampleRateHz !== kind.sampleRateHz || header.channels !== kind.channels) {
      throw broken(at, 'another rate or number of channels');
    }
    frames.push(bytes.subarray(at + HEADER_BYTES, at + header.frameBytes));
    at += header.frameBytes;
  }
  return { sampleRateHz: kind.sampleRateHz, channels: kind.channels, frames };
}

interface AdtsHeader {
  readonly sampleRateHz: number;
  readonly channels: number;
  /** with the header */
  readonly frameBytes: number;
}

function readHeader(bytes: Buffer, at: number): AdtsHeader {
  if (bytes.length - at < HEADER_BYTES) throw broken(at, 'half a header');
  const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0, sixth = 0, seventh = 0] =
    bytes.subarray(at, at + HEADER_BYTES);
  // sync word, layer 0, no checksum; the MPEG version's bit says nothing about AAC-LC
  if (first !== 0xff || (second & 0xf7) !== 0xf1) throw broken(at, 'no header');
  if (third >> 6 !== 1) throw broken(at, 'not AAC-LC');
  const sampleRateHz = SAMPLE_RATES_HZ[(third >> 2) & 0b1111];
  const channels = ((third & 1) << 2) | (fourth >> 6);
  if (sampleRateHz === undefined || channels === 0) throw broken(at, 'no rate or no channels');
  if ((seventh & 0b11) !== 0) throw broken(at, 'several blocks in a frame');

  const frameBytes = ((fourth & 0b11) << 11) | (fifth << 3) | (sixth >> 5);
  if (frameBytes <= HEADER_BYTES) throw broken(at, 'an empty frame');
  if (at + frameBytes > bytes.length) throw broken(at, 'half a frame');
  return { sampleRateHz, channels, frameBytes };
}

function broken(at: number, what: string): Error {
  return new Error(`ADTS at byte ${at}: ${what}`);
}
