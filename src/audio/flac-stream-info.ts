import { Buffer } from 'node:buffer';

/** What the marker `fLaC` and the STREAMINFO block take at the start of every FLAC stream. */
export const FLAC_HEAD_BYTES = 42;

/** After marker, block header, block and frame sizes, rate, channels and depth. */
const TOTAL_SAMPLES_OFFSET = 21;
const MOST_TOTAL_SAMPLES = 2 ** 36 - 1;

/**
 * The head of a FLAC stream with its total of samples, which ffmpeg can't write into a pipe.
 *
 * The checksum of the sound and the frame sizes stay 0, which the format calls unknown.
 *
 * @param head the first {@link FLAC_HEAD_BYTES} bytes as ffmpeg wrote them; not changed
 * @param samples per channel; a total that the 36 bits can't hold is left unknown
 * @returns undefined for what is no FLAC stream
 * @see RFC 9639 §8.2
 */
export function patchFlacStreamInfo(head: Buffer, samples: number): Buffer | undefined {
  const isFlac = head.length === FLAC_HEAD_BYTES && head.toString('latin1', 0, 4) === 'fLaC';
  // block type 0 in the lower seven bits; the upper one says whether other blocks follow
  if (!isFlac || ((head[4] ?? 0) & 0x7f) !== 0 || head.readUIntBE(5, 3) !== 34) return undefined;
  const patched = Buffer.from(head);
  const total = samples > MOST_TOTAL_SAMPLES ? 0 : samples;
  const depthBits = (head[TOTAL_SAMPLES_OFFSET] ?? 0) & 0xf0;
  patched[TOTAL_SAMPLES_OFFSET] = depthBits | Math.floor(total / 2 ** 32);
  patched.writeUInt32BE(total % 2 ** 32, TOTAL_SAMPLES_OFFSET + 1);
  return patched;
}

/**
 * The bytes before the first frame of a FLAC stream.
 *
 * @returns undefined while too few are there to tell
 * @see RFC 9639 §8.1
 */
export function flacMetadataBytes(start: Buffer): number | undefined {
  for (let at = 4; at + 4 <= start.length;) {
    const isLast = ((start[at] ?? 0) & 0x80) !== 0;
    at += 4 + start.readUIntBE(at + 1, 3);
    if (isLast) return at;
  }
  return undefined;
}
