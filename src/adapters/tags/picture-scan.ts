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

  /** @param leftBytes so much of pictures the parser may read, by what they take up in the file */
  constructor(private leftBytes = 0) {}

  /** @returns whether the parser may read it; else it is to be hidden */
  addPicture(lengthBytes: number): boolean {
    this.pictures += 1;
    this.pictureBytes += lengthBytes;
    if (lengthBytes > this.leftBytes) return false;
    this.leftBytes -= lengthBytes;
    return true;
  }

  /** A log for a part of the track, with all that is left for pictures. */
  openPart(): PictureLog {
    return new PictureLog(this.leftBytes);
  }

  addPart(part: PictureLog): void {
    this.edits.push(...part.edits);
    this.pictures += part.pictures;
    this.pictureBytes += part.pictureBytes;
    this.leftBytes = part.leftBytes;
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

const FLAC_PADDING = 1;
const FLAC_PICTURE = 6;

/**
 * Pictures of a FLAC stream; one that is hidden becomes padding.
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
    if ((type & 0x7f) === FLAC_PICTURE && !log.addPicture(lengthBytes)) {
      log.replace(position, 1, Buffer.from([(type & 0x80) | FLAC_PADDING]));
    }
    if ((type & 0x80) !== 0) return;
    position += lengthBytes;
  }
}

const APE_FOOTER_BYTES = 32;
const ID3V1_BYTES = 128;
/** flags of an item whose value is a link, which the parser skips */
const APE_LINK = Buffer.from([4, 0, 0, 0]);

/**
 * APEv2 and ID3v1 tags behind the audio.
 *
 * @returns where the audio ends. Nothing is cut; a picture that is hidden becomes a link.
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
    const isPicture = /^cover art/i.test(head.toString('latin1', 8, keyEnd));
    if (isPicture && !log.addPicture(valueBytes)) log.replace(position + 4, 4, APE_LINK);
    position += keyEnd + 1 + valueBytes;
  }
}
