import { Buffer } from 'node:buffer';

/** Size and type in front of every box of an MP4. */
export const BOX_HEADER_BYTES = 8;

/** A box of these parts; less than 4 GiB. */
export function formatBox(type: string, content: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(BOX_HEADER_BYTES);
  const size = content.reduce((sum, part) => sum + part.length, BOX_HEADER_BYTES);
  header.writeUInt32BE(size, 0);
  header.write(type, 4, 'latin1');
  return Buffer.concat([header, ...content]);
}

/** The type of a box that {@link splitBoxes} found. */
export function boxType(box: Buffer): string {
  return box.toString('latin1', 4, BOX_HEADER_BYTES);
}

/**
 * The boxes side by side in these bytes, headers included.
 *
 * @throws RangeError when the last one is cut, or one has a size of 0 or of 64 bits
 */
export function splitBoxes(content: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < content.length;) {
    const size = at + BOX_HEADER_BYTES > content.length ? 0 : content.readUInt32BE(at);
    if (size < BOX_HEADER_BYTES || at + size > content.length) throw new RangeError('a box is cut');
    found.push(content.subarray(at, at + size));
    at += size;
  }
  return found;
}
