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

/** A box that begins with its version and 24 bits of flags (ISO/IEC 14496-12 §4.2). */
export function formatFullBox(
  type: string,
  version: 0 | 1,
  flags: number,
  content: readonly Buffer[],
): Buffer {
  return formatBox(type, [uint32(version * 0x1000000 + flags), ...content]);
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

/** A number as boxes have it: big-endian; so are the two below. */
export function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

/** 32 bits, unsigned. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** 64 bits, unsigned. @param value an integer up to 2^53 - 1 */
export function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
