import { type ByteSource, createEditedSource } from './byte-source';
import { type PictureLog } from './picture-scan';

const HEADER_BYTES = 10;
// Larger than any text; the parser would read the whole tag at once to find the title behind it.
const LARGEST_FRAME_BYTES = 1024 * 1024;
const LARGEST_UNSYNC_TAG_BYTES = 4 * 1024 * 1024;
const MOST_FRAMES = 10_000;
const MOST_TAGS = 8;

interface Id3Tag {
  readonly start: number;
  readonly majorVersion: number;
  readonly flags: number;
  /** without the header of ten bytes */
  readonly contentBytes: number;
}

/**
 * Hides pictures and other large frames of the ID3v2 tags that begin at `start`.
 *
 * @returns where the last tag ends in the source as it is
 * @see https://id3.org/id3v2.3.0, https://id3.org/id3v2.4.0-structure
 */
export async function scanId3(source: ByteSource, start: number, log: PictureLog): Promise<number> {
  let end = start;
  for (let count = 0; count < MOST_TAGS; count += 1) {
    const tag = await readTag(source, end);
    if (!tag) return end;
    await scanTag(source, tag, log);
    end = tag.start + HEADER_BYTES + tag.contentBytes;
  }
  return end;
}

async function readTag(source: ByteSource, start: number): Promise<Id3Tag | undefined> {
  const header = await source.read(start, HEADER_BYTES);
  if (header.length < HEADER_BYTES || header.toString('latin1', 0, 3) !== 'ID3') return undefined;
  const contentBytes = readSyncSafe(header, 6);
  if (start + HEADER_BYTES + contentBytes > source.sizeBytes) return undefined;
  const majorVersion = header.readUInt8(3);
  return { start, majorVersion, flags: header.readUInt8(5), contentBytes };
}

async function scanTag(source: ByteSource, tag: Id3Tag, log: PictureLog): Promise<void> {
  const content = tag.start + HEADER_BYTES;
  const unsync = (tag.flags & 0x80) !== 0 && tag.majorVersion < 4;
  if (unsync && tag.contentBytes <= LARGEST_UNSYNC_TAG_BYTES) {
    // The parser undoes only the unsynchronisation of single frames, which is that of ID3v2.4.
    const plain = removeUnsync(await source.read(content, tag.contentBytes));
    const edit = { position: content, removeBytes: tag.contentBytes, insert: plain };
    const plainSource = createEditedSource(source, [edit]);
    const kept = await keepSmallFrames(plainSource, { ...tag, contentBytes: plain.length }, log);
    const bytes = kept.map(({ first, end }) => plain.subarray(first - content, end - content));
    replaceTag(tag, Buffer.concat(bytes), log);
    return;
  }

  const kept = await keepSmallFrames(source, tag, log);
  const keptBytes = kept.reduce((sum, { first, end }) => sum + end - first, 0);
  if (keptBytes === tag.contentBytes) return;
  log.replace(tag.start, HEADER_BYTES, formatHeader(tag, keptBytes));
  let position = content;
  for (const { first, end } of kept) {
    log.cut(position, first - position);
    position = end;
  }
  log.cut(position, content + tag.contentBytes - position);
}

interface Span {
  readonly first: number;
  readonly end: number;
}

async function keepSmallFrames(source: ByteSource, tag: Id3Tag, log: PictureLog): Promise<Span[]> {
  const isOld = tag.majorVersion === 2;
  const frameHeaderBytes = isOld ? 6 : 10;
  const end = tag.start + HEADER_BYTES + tag.contentBytes;
  const kept: Span[] = [];
  let position = tag.start + HEADER_BYTES + (await extendedHeaderBytes(source, tag));
  for (let frame = 0; frame < MOST_FRAMES && position + frameHeaderBytes <= end; frame += 1) {
    const header = await source.read(position, frameHeaderBytes);
    // padding
    if (header.readUInt8(0) === 0) break;
    const id = header.toString('latin1', 0, isOld ? 3 : 4);
    const next = Math.min(position + frameHeaderBytes + readFrameSize(header, tag), end);
    const isPicture = id === 'APIC' || id === 'PIC';
    const lengthBytes = next - position;
    const isKept = isPicture ? log.addPicture(lengthBytes) : lengthBytes <= LARGEST_FRAME_BYTES;
    if (isKept) kept.push({ first: position, end: next });
    position = next;
  }
  return kept;
}

async function extendedHeaderBytes(source: ByteSource, tag: Id3Tag): Promise<number> {
  if ((tag.flags & 0x40) === 0 || tag.majorVersion === 2) return 0;
  const size = await source.read(tag.start + HEADER_BYTES, 4);
  if (size.length < 4) return 0;
  return tag.majorVersion === 3 ? 4 + size.readUInt32BE(0) : readSyncSafe(size, 0);
}

function readFrameSize(header: Buffer, tag: Id3Tag): number {
  if (tag.majorVersion === 2) return header.readUIntBE(3, 3);
  return tag.majorVersion === 3 ? header.readUInt32BE(4) : readSyncSafe(header, 4);
}

function replaceTag(tag: Id3Tag, content: Buffer, log: PictureLog): void {
  const bytes = Buffer.concat([formatHeader(tag, content.length), content]);
  log.replace(tag.start, HEADER_BYTES + tag.contentBytes, bytes);
}

/** A header without flags: what is kept is plain frames alone. */
function formatHeader(tag: Id3Tag, contentBytes: number): Buffer {
  const size = [21, 14, 7, 0].map((shift) => (contentBytes >> shift) & 0x7f);
  return Buffer.from([0x49, 0x44, 0x33, tag.majorVersion, 0, 0, ...size]);
}

function readSyncSafe(bytes: Buffer, offset: number): number {
  return [0, 1, 2, 3].reduce((sum, i) => sum * 128 + (bytes.readUInt8(offset + i) & 0x7f), 0);
}

function removeUnsync(bytes: Buffer): Buffer {
  const plain = Buffer.alloc(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    if (bytes[i] === 0 && i > 0 && bytes[i - 1] === 0xff) continue;
    length = plain.writeUInt8(bytes.readUInt8(i), length);
  }
  return plain.subarray(0, length);
}
