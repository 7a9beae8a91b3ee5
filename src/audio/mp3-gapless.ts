import { type Buffer } from 'node:buffer';

/** Samples at both ends of an MP3 that are not of the music, per channel. */
export interface Mp3Gapless {
  readonly delay: number;
  readonly padding: number;
}

/** Programs whose fields are believed, as ffmpeg's decoder believes them. */
const KNOWN_ENCODERS = ['LAME', 'Lavf', 'Lavc'];
/** From the name of the tag: flags, frames, bytes, table and quality. */
const ENCODER_OFFSET = 120;
const DELAYS_OFFSET = ENCODER_OFFSET + 21;
/** Behind the header and the side information, which differ by version and channels. */
const TAG_OFFSETS = [13, 21, 36];

/**
 * What a decoder drops of an MP3, by the LAME tag in its first frame.
 *
 * @param frame begins with the header of the first frame
 * @returns undefined where there is no such tag: then every sample of every frame is played
 * @see https://gabriel.mp3-tech.org/mp3infotag.html
 */
export function readMp3Gapless(frame: Buffer): Mp3Gapless | undefined {
  const at = TAG_OFFSETS.find((offset) =>
    ['Xing', 'Info'].includes(frame.toString('latin1', offset, offset + 4)),
  );
  if (at === undefined || frame.length < at + DELAYS_OFFSET + 3) return undefined;
  const encoder = frame.toString('latin1', at + ENCODER_OFFSET, at + ENCODER_OFFSET + 4);
  if (!KNOWN_ENCODERS.includes(encoder)) return undefined;
  const delays = frame.readUIntBE(at + DELAYS_OFFSET, 3);
  return { delay: delays >> 12, padding: delays & 0xfff };
}
