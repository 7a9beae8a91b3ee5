/** The pictures that are served: what browsers show, and sharp decodes with memory-safe limits. */
export const IMAGE_TYPES = ['jpeg', 'png', 'webp', 'gif'] as const;

export type ImageType = (typeof IMAGE_TYPES)[number];

/** So many bytes of a picture tell what it is. */
export const IMAGE_HEAD_BYTES = 16;

const PNG = '89504e470d0a1a0a';

/**
 * What a picture is, by its first bytes; what a tag or a file name says of it does not count.
 *
 * @returns undefined for all that is not served; SVG, which is a program, among it
 */
export function identifyImage(bytes: Uint8Array): ImageType | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 16));
  if (head.toString('hex', 0, 3) === 'ffd8ff') return 'jpeg';
  if (head.toString('hex', 0, 8) === PNG) return 'png';
  const text = head.toString('latin1');
  if (text.startsWith('RIFF') && text.startsWith('WEBPVP8', 8)) return 'webp';
  return /^GIF8[79]a/.test(text) ? 'gif' : undefined;
}
