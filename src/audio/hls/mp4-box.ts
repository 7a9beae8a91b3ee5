import { Buffer } from 'node:buffer';

/** A box of ISO/IEC 14496-12 §4.2. @param type four characters */
export function box(type: string, parts: readonly Buffer[]): Buffer {
  const lengthBytes = parts.reduce((sum, part) => sum + part.length, 8);
  return Buffer.concat([uint32(lengthBytes), Buffer.from(type, 'latin1'), ...parts], lengthBytes);
}

/** A box that begins with its version and 24 bits of flags. */
export function fullBox(
  type: string,
  version: 0 | 1,
  flags: number,
  parts: readonly Buffer[],
): Buffer {
  return box(type, [uint32(version * 0x1000000 + flags), ...parts]);
}

export function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** @param value an integer up to 2^53 - 1 */
export function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
