import { type ByteSource, type Edit } from './byte-source';

/** Where the pictures of a track are, and how to hide them from a parser that would read them. */
export interface PictureScan {
  readonly edits: readonly Edit[];
  readonly pictures: number;
  readonly pictureBytes: number;
}

/** Collects what a walk through a container finds. */
export class PictureLog implements PictureScan {
  readonly edits: Edit[] = [];
  pictures = 0;
  pictureBytes = 0;

  addPicture(lengthBytes: number): void {
    this.pictures += 1;
    this.pictureBytes += lengthBytes;
  }

  cut(position: number, lengthBytes: number): void {
    this.replace(position, lengthBytes, Buffer.alloc(0));
  }

  replace(position: number, removeBytes: number, insert: Buffer): void {
    this.edits.push({ position, removeBytes, insert });
  }
}

// No real track has more; a walk through a hostile one ends here.
const MOST_BLOCKS = 1000;

const FLAC_PICTURE = 6;

/**
 * Pictures of a FLAC stream.
 *
 * Nothing is cut: the parser skips a PICTURE block without reading it when covers are unwanted.
 *
 * @param start where `fLaC` is, behind any ID3v2 tag
 */
export async function scanFlac(source: ByteSource, start: number, log: PictureLog): Promise<void> {
  let position = start;
  if ((await source.read(position, 4)).toString('latin1') !== 'fLaC') return;
  position += 4;
  for (let block = 0; block < MOST_BLOCKS; block += 1) {
    const header = await source.read(position, 4);
    if (header.length < 4) return;
    const lengthBytes = 4 + header.readUIntBE(1, 3);
    const type = header.readUInt8(0);
    if ((type & 0x7f) === FLAC_PICTURE) log.addPicture(lengthBytes);
    if ((type & 0x80) !== 0) return;
    position += lengthBytes;
  }
}

const APE_FOOTER_BYTES = 32;
const ID3V1_BYTES = 128;

/**
 * APEv2 and ID3v1 tags behind the audio.
 *
 * @returns where the audio ends. Nothing is cut: the parser skips binary items by itself.
 * @see https://wiki.hydrogenaud.io/index.php?title=APEv2_specification
 */
export async function scanTrailer(source: ByteSource, log: PictureLog): Promise<number> {
  let end = source.sizeBytes;
  if (
    end >= ID3V1_BYTES &&
    (await source.read(end - ID3V1_BYTES, 3)).toString('latin1') === 'TAG'
  ) {
    end -= ID3V1_BYTES;
  }
  if (end < APE_FOOTER_BYTES) return end;
  const footer = await source.read(end - APE_FOOTER_BYTES, APE_FOOTER_BYTES);
  if (footer.toString('latin1', 0, 8) !== 'APETAGEX') return end;
  // items and footer, without the optional header
  const tagBytes = footer.readUInt32LE(12);
  const headerBytes = (footer.readUInt32LE(20) & 0x80000000) !== 0 ? APE_FOOTER_BYTES : 0;
  const first = end - tagBytes;
  if (first - headerBytes < 0) return end;
  await scanApeItems(source, { first, end: end - APE_FOOTER_BYTES }, log);
  return first - headerBytes;
}

async function scanApeItems(
  source: ByteSource,
  items: { readonly first: number; readonly end: number },
  log: PictureLog,
): Promise<void> {
  let position = items.first;
  for (let item = 0; item < MOST_BLOCKS && position + 8 < items.end; item += 1) {
    // 4 bytes of size, 4 of flags, a key of 2 to 255 characters, NUL
    const head = await source.read(position, 8 + 256);
    const keyEnd = head.indexOf(0, 8);
    if (keyEnd < 0) return;
    const valueBytes = head.readUInt32LE(0);
    if (/^cover art/i.test(head.toString('latin1', 8, keyEnd))) log.addPicture(valueBytes);
    position += keyEnd + 1 + valueBytes;
  }
}
