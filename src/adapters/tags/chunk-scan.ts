import { isUtf8 } from 'node:buffer';
import { type ByteSource } from './byte-source';
import { scanId3 } from './id3-scan';
import { type PictureLog } from './picture-scan';

const MOST_CHUNKS = 1000;
const LARGEST_INFO_BYTES = 1024 * 1024;
// More than any answer shows; a longer text is left to the parser.
const LARGEST_TEXT_BYTES = 16 * 1024;
const EXTENSIBLE = 0xfffe;

/** What the chunks say that the parser does not: its names know no extensible wave format. */
export interface ChunkFacts {
  /** `wFormatTag` of a WAVE file, the real one behind an extensible format */
  readonly waveFormatTag?: number;
  /** of an AIFF file's text chunks; an ID3 chunk goes before them */
  readonly title?: string | undefined;
  readonly artist?: string | undefined;
}

// title and author; of the others nothing is shown
const TEXT_CHUNKS = new Set(['NAME', 'AUTH']);

interface Chunk {
  readonly id: string;
  readonly start: number;
  readonly content: number;
  readonly lengthBytes: number;
}

/**
 * Hides the pictures in the ID3 chunk of a WAVE or AIFF file.
 *
 * LIST/INFO has no encoding of its own and the parser reads it as Latin-1. Where its values are
 * UTF-8, as most programs write them, a CSET chunk is put in front that says so. Of AIFF's text
 * chunks the parser keeps seven bits per character: those that are shown are read here instead.
 *
 * @see Multimedia Programming Interface 1.0 (RIFF, CSET), AIFF 1.3
 */
export async function scanChunks(source: ByteSource, log: PictureLog): Promise<ChunkFacts> {
  const isWave = (await source.read(0, 4)).toString('latin1') === 'RIFF';
  let facts: ChunkFacts = {};
  let hasCodePage = false;
  let hasUtf8Info = false;
  for await (const chunk of readChunks(source, isWave)) {
    if (chunk.id.toLowerCase() === 'id3 ') await hideInChunk(source, chunk, isWave, log);
    if (chunk.id === 'fmt ') facts = { waveFormatTag: await readFormatTag(source, chunk) };
    if (!isWave && TEXT_CHUNKS.has(chunk.id)) {
      facts = { ...facts, ...(await takeText(source, chunk, facts, log)) };
    }
    if (chunk.id === 'CSET') hasCodePage = true;
    if (chunk.id === 'LIST' && chunk.lengthBytes <= LARGEST_INFO_BYTES) {
      hasUtf8Info ||= isUtf8Info(await source.read(chunk.content, chunk.lengthBytes));
    }
  }
  if (isWave && hasUtf8Info && !hasCodePage) await insertCodePage(source, log);
  return facts;
}

async function* readChunks(source: ByteSource, isWave: boolean): AsyncGenerator<Chunk> {
  let position = 12;
  for (let count = 0; count < MOST_CHUNKS; count += 1) {
    const header = await source.read(position, 8);
    if (header.length < 8) return;
    const lengthBytes = isWave ? header.readUInt32LE(4) : header.readUInt32BE(4);
    const id = header.toString('latin1', 0, 4);
    yield { id, start: position, content: position + 8, lengthBytes };
    position += 8 + lengthBytes + (lengthBytes % 2);
  }
}

async function hideInChunk(
  source: ByteSource,
  chunk: Chunk,
  isWave: boolean,
  log: PictureLog,
): Promise<void> {
  if (chunk.content + chunk.lengthBytes > source.sizeBytes) return;
  const found = log.openPart();
  await scanId3(source, chunk.content, found);
  const cutBytes = found.edits.reduce(
    (sum, edit) => sum + edit.removeBytes - edit.insert.length,
    0,
  );
  log.addPart(found);
  if (cutBytes === 0) return;
  // chunks begin at even positions: one more byte of padding where the cut was odd
  const padBytes = cutBytes % 2;
  const size = Buffer.alloc(4);
  const lengthBytes = chunk.lengthBytes - cutBytes + padBytes;
  if (isWave) size.writeUInt32LE(lengthBytes);
  else size.writeUInt32BE(lengthBytes);
  log.replace(chunk.start + 4, 4, size);
  log.replace(chunk.content + chunk.lengthBytes, 0, Buffer.alloc(padBytes));
}

/** Reads a text as UTF-8, or as Latin-1 where it is not, and hides its chunk from the parser. */
async function takeText(
  source: ByteSource,
  chunk: Chunk,
  { title, artist }: ChunkFacts,
  log: PictureLog,
): Promise<ChunkFacts> {
  if (chunk.lengthBytes > LARGEST_TEXT_BYTES) return {};
  const bytes = await source.read(chunk.content, chunk.lengthBytes);
  const text = bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
  const values = text.split('\0').map((value) => value.trim());
  const found = values.filter((value) => value !== '');
  log.replace(chunk.start, 4, Buffer.from('JUNK'));
  return chunk.id === 'NAME'
    ? { title: title ?? found[0] }
    : { artist: [artist, ...found].filter((value) => value !== undefined).join(', ') || undefined };
}

async function readFormatTag(source: ByteSource, chunk: Chunk): Promise<number> {
  const format = await source.read(chunk.content, Math.min(chunk.lengthBytes, 26));
  if (format.length < 2) return 0;
  const tag = format.readUInt16LE(0);
  // the first two bytes of the sub-format's GUID are the tag it extends
  return tag === EXTENSIBLE && format.length >= 26 ? format.readUInt16LE(24) : tag;
}

/** True when at least one value is not ASCII, and every value is UTF-8. */
function isUtf8Info(list: Buffer): boolean {
  if (list.toString('latin1', 0, 4) !== 'INFO') return false;
  let isBeyondAscii = false;
  for (let position = 4; position + 8 <= list.length;) {
    const lengthBytes = list.readUInt32LE(position + 4);
    const value = list.subarray(position + 8, position + 8 + lengthBytes);
    if (!isUtf8(value)) return false;
    isBeyondAscii ||= value.some((byte) => byte >= 0x80);
    position += 8 + lengthBytes + (lengthBytes % 2);
  }
  return isBeyondAscii;
}

async function insertCodePage(source: ByteSource, log: PictureLog): Promise<void> {
  const chunk = Buffer.alloc(16);
  chunk.write('CSET', 'latin1');
  chunk.writeUInt32LE(8, 4);
  chunk.writeUInt16LE(65001, 8);
  log.replace(12, 0, chunk);
  const riffBytes = (await source.read(4, 4)).readUInt32LE(0);
  const grown = Buffer.alloc(4);
  grown.writeUInt32LE(Math.min(riffBytes + chunk.length, 0xffffffff));
  log.replace(4, 4, grown);
}
