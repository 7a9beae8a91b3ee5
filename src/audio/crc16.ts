import { type Buffer } from 'node:buffer';

/** CRC-16/ARC (polynomial 0x8005 reflected, start 0), as the LAME tag wants it. */
export function crc16(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte;
    // one tag of at most 200 bytes per transcode: a table would be longer than what it saves
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  }
  return crc;
}
