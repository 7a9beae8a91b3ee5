import { type ByteSource, createEditedSource } from './byte-source';
import { type PictureLog } from './picture-scan';

const PAGE_HEADER_BYTES = 27;
const LARGEST_PAGE_BYTES = PAGE_HEADER_BYTES + 255 + 255 * 255;
const LARGEST_COMMENT_BYTES = 64 * 1024;
const LARGEST_KEPT_BYTES = 1024 * 1024;
const MOST_PAGES = 50_000;
const MOST_COMMENTS = 10_000;
const PICTURE_KEYS = /^(?:METADATA_BLOCK_PICTURE|COVERART)=/i;
// only its length counts: the header of a metadata block
const FLAC_MAGIC = '\0\0\0\0';
const CONTINUED = 1;
const LAST_PAGE = 4;

interface Page {
  readonly start: number;
  readonly flags: number;
  readonly serial: number;
  /** -1 when no packet ends on the page */
  readonly granule: bigint;
  readonly lacing: Buffer;
  readonly content: number;
  readonly end: number;
}

/** How the parser has to take what is left of an Ogg file. */
export interface OggFacts {
  readonly parseAs?: 'flac';
}

/**
 * Reduces an Ogg Vorbis, Opus or FLAC file to what is told by its first page, its comments without
 * pictures and its last page, whose granule position is the duration.
 *
 * The parser would read every page for that, and a picture as well. Other codecs, multiplexed
 * and chained streams are left alone.
 *
 * @see RFC 3533 §6, RFC 7845 §5.2, Vorbis I §5, RFC 9639 §10.1
 */
export async function scanOgg(source: ByteSource, log: PictureLog): Promise<OggFacts> {
  const first = await readPage(source, 0);
  const second = first && (await readPage(source, first.end));
  if (!first || second?.serial !== first.serial) return {};
  const head = await source.read(first.content, first.end - first.content);
  const magic = commentMagic(head.toString('latin1'));
  const last = await findLastPage(source, first.serial);
  if (magic === undefined || !last) return {};

  const comments = await readSecondPacket(source, second);
  if (!comments || comments.end > last.start) return {};
  const packet = await keepSmallComments(comments.packet, magic, log);
  if (!packet) return {};
  if (magic === FLAC_MAGIC) {
    log.replace(0, last.start, formatFlac(head, packet, last.granule));
    return { parseAs: 'flac' };
  }
  log.replace(second.start, last.start - second.start, formatPages(packet, first.serial));
  log.replace(last.start + 5, 1, Buffer.from([(last.flags & ~CONTINUED) | LAST_PAGE]));
  return {};
}

/** What is in front of the comments in the second packet, by the codec of the first. */
function commentMagic(head: string): string | undefined {
  if (head.startsWith('OpusHead')) return 'OpusTags';
  if (head.startsWith('\x01vorbis')) return '\x03vorbis';
  return head.startsWith('\x7fFLAC') && head.length >= 51 ? FLAC_MAGIC : undefined;
}

/** The head of a native FLAC file, since the parser reads no comments of FLAC in Ogg. */
function formatFlac(head: Buffer, comments: Buffer, samples: bigint): Buffer {
  // behind 9 bytes about the mapping: `fLaC` and STREAMINFO with its block header of 4 bytes
  const start = Buffer.from(head.subarray(9, 51));
  start.writeUInt8(0, 4);
  // 36 bits of total samples, which a live encoder leaves 0
  const packed = start.readBigUInt64BE(18);
  start.writeBigUInt64BE((packed & ~0xfffffffffn) | (samples & 0xfffffffffn), 18);
  const block = Buffer.alloc(4);
  block.writeUInt32BE(0x84000000 + comments.length - FLAC_MAGIC.length);
  return Buffer.concat([start, block, comments.subarray(FLAC_MAGIC.length)]);
}

async function readPage(source: ByteSource, start: number): Promise<Page | undefined> {
  const header = await source.read(start, PAGE_HEADER_BYTES + 255);
  if (header.length < PAGE_HEADER_BYTES || header.toString('latin1', 0, 4) !== 'OggS')
    return undefined;
  const lacing = header.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + header.readUInt8(26));
  const content = start + PAGE_HEADER_BYTES + lacing.length;
  const end = content + lacing.reduce((sum, length) => sum + length, 0);
  const serial = header.readUInt32LE(14);
  const granule = header.readBigInt64LE(6);
  return { start, flags: header.readUInt8(5), serial, granule, lacing, content, end };
}

interface SecondPacket {
  readonly packet: ByteSource;
  /** where the page ends that holds the packet's last byte */
  readonly end: number;
}

async function readSecondPacket(
  source: ByteSource,
  second: Page,
): Promise<SecondPacket | undefined> {
  const gaps = [];
  let gapStart = 0;
  let page = second;
  for (let count = 0; count < MOST_PAGES; count += 1) {
    gaps.push({
      position: gapStart,
      removeBytes: page.content - gapStart,
      insert: Buffer.alloc(0),
    });
    const closing = page.lacing.findIndex((length) => length < 255);
    const lacing = closing < 0 ? page.lacing : page.lacing.subarray(0, closing + 1);
    gapStart = page.content + lacing.reduce((sum, length) => sum + length, 0);
    if (closing >= 0) {
      const rest = source.sizeBytes - gapStart;
      gaps.push({ position: gapStart, removeBytes: rest, insert: Buffer.alloc(0) });
      return { packet: createEditedSource(source, gaps), end: page.end };
    }
    const next = await readPage(source, page.end);
    if (next?.serial !== second.serial) return undefined;
    page = next;
  }
  return undefined;
}

/** The packet without pictures and other large comments; undefined when it is malformed. */
async function keepSmallComments(
  packet: ByteSource,
  magic: string,
  log: PictureLog,
): Promise<Buffer | undefined> {
  const vendor = await readString(packet, magic.length, LARGEST_COMMENT_BYTES);
  if (!vendor?.bytes) return undefined;
  const count = await packet.read(vendor.end, 4);
  if (count.length < 4) return undefined;
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let position = vendor.end + 4;
  const comments = Math.min(count.readUInt32LE(0), MOST_COMMENTS);
  for (let i = 0; i < comments && keptBytes < LARGEST_KEPT_BYTES; i += 1) {
    const comment = await readString(packet, position, LARGEST_COMMENT_BYTES);
    if (!comment) break;
    const lengthBytes = comment.end - position;
    if (PICTURE_KEYS.test(comment.key)) {
      if (log.addPicture(lengthBytes)) kept.push(await packet.read(position, lengthBytes));
    } else if (comment.bytes) {
      kept.push(comment.bytes);
      keptBytes += lengthBytes;
    }
    position = comment.end;
  }
  const newCount = Buffer.alloc(4);
  newCount.writeUInt32LE(kept.length);
  return Buffer.concat([Buffer.from(magic, 'latin1'), vendor.bytes, newCount, ...kept]);
}

interface PacketString {
  readonly key: string;
  /** with its length in front; undefined when longer than allowed */
  readonly bytes?: Buffer;
  readonly end: number;
}

async function readString(
  packet: ByteSource,
  position: number,
  mostBytes: number,
): Promise<PacketString | undefined> {
  const head = await packet.read(position, 4 + 32);
  if (head.length < 4) return undefined;
  const lengthBytes = head.readUInt32LE(0);
  const end = position + 4 + lengthBytes;
  if (end > packet.sizeBytes) return undefined;
  const key = head.toString('latin1', 4, 4 + Math.min(lengthBytes, 32));
  if (lengthBytes > mostBytes || PICTURE_KEYS.test(key)) return { key, end };
  return { key, end, bytes: await packet.read(position, 4 + lengthBytes) };
}

/** Pages that hold one packet; the checksum is left out, since the parser does not look at it. */
function formatPages(packet: Buffer, serial: number): Buffer {
  const pages: Buffer[] = [];
  // one lacing value more than full ones: a packet ends with a value below 255
  const values = Math.floor(packet.length / 255) + 1;
  for (let value = 0; value < values; value += 255) {
    const lacing = Buffer.alloc(Math.min(255, values - value), 255);
    if (value + lacing.length === values) lacing[lacing.length - 1] = packet.length % 255;
    const header = Buffer.alloc(PAGE_HEADER_BYTES);
    header.write('OggS', 'latin1');
    header.writeUInt8(value === 0 ? 0 : CONTINUED, 5);
    header.writeUInt32LE(serial, 14);
    header.writeUInt32LE(pages.length + 1, 18);
    header.writeUInt8(lacing.length, 26);
    const content = packet.subarray(value * 255, (value + lacing.length) * 255);
    pages.push(Buffer.concat([header, lacing, content]));
  }
  return Buffer.concat(pages);
}

/** The last page of the stream that ends a packet, and so has a granule position. */
async function findLastPage(source: ByteSource, serial: number): Promise<Page | undefined> {
  const tailStart = Math.max(0, source.sizeBytes - 2 * LARGEST_PAGE_BYTES);
  const tail = await source.read(tailStart, source.sizeBytes - tailStart);
  let at = tail.lastIndexOf('OggS', undefined, 'latin1');
  while (at >= 0) {
    const page = await readPage(source, tailStart + at);
    if (page?.serial === serial && page.granule !== -1n) return page;
    at = at === 0 ? -1 : tail.lastIndexOf('OggS', at - 1, 'latin1');
  }
  return undefined;
}
