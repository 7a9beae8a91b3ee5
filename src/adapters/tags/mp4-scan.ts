import { type ByteSource } from './byte-source';
import { type PictureLog } from './picture-scan';

// The way down to the pictures; only these are opened.
const CONTAINERS = new Set(['moov', 'moov/udta', 'moov/udta/meta', 'moov/udta/meta/ilst']);
const PICTURE_ATOM = 'moov/udta/meta/ilst/covr';
const MOST_ATOMS = 10_000;

interface Atom {
  readonly name: string;
  readonly start: number;
  readonly content: number;
  readonly end: number;
  /** bytes of the size field; 0 when the atom reaches to the end of the file */
  readonly sizeFieldBytes: 0 | 4 | 8;
}

/**
 * Cuts the cover out of an MP4 file, and shrinks every atom around it.
 *
 * @see ISO/IEC 14496-12 §4.2 (atoms), QuickTime File Format (metadata item list)
 */
export async function scanMp4(source: ByteSource, log: PictureLog): Promise<void> {
  let atomsLeft = MOST_ATOMS;

  /** @returns bytes cut between `first` and `end` */
  async function scanAtoms(parent: string, first: number, end: number): Promise<number> {
    let position = first;
    let cutBytes = 0;
    while (atomsLeft > 0 && position + 8 <= end) {
      atomsLeft -= 1;
      const atom = await readAtom(source, position, end);
      if (!atom) break;
      const path = parent === '' ? atom.name : `${parent}/${atom.name}`;
      cutBytes += await scanAtom(path, atom);
      // fragments may go on for hours, and no tag is behind the movie atom
      if (path === 'moov') break;
      position = atom.end;
    }
    return cutBytes;
  }

  async function scanAtom(path: string, atom: Atom): Promise<number> {
    const lengthBytes = atom.end - atom.start;
    if (path === PICTURE_ATOM) {
      log.addPicture(lengthBytes);
      log.cut(atom.start, lengthBytes);
      return lengthBytes;
    }
    if (!CONTAINERS.has(path)) return 0;
    const skip = atom.name === 'meta' ? await versionBytes(source, atom) : 0;
    const cutBytes = await scanAtoms(path, atom.content + skip, atom.end);
    if (cutBytes > 0) shrink(atom, lengthBytes - cutBytes, log);
    return cutBytes;
  }

  await scanAtoms('', 0, source.sizeBytes);
}

async function readAtom(
  source: ByteSource,
  start: number,
  parentEnd: number,
): Promise<Atom | undefined> {
  const header = await source.read(start, 16);
  if (header.length < 8) return undefined;
  const size = header.readUInt32BE(0);
  const isLong = size === 1 && header.length === 16;
  const lengthBytes = isLong ? Number(header.readBigUInt64BE(8)) : size || parentEnd - start;
  const content = start + (isLong ? 16 : 8);
  const end = start + lengthBytes;
  if (end < content || end > parentEnd) return undefined;
  const sizeFieldBytes = size === 0 ? 0 : isLong ? 8 : 4;
  return { name: header.toString('latin1', 4, 8), start, content, end, sizeFieldBytes };
}

/** In ISO files `meta` begins with version and flags, in QuickTime files with its first atom. */
async function versionBytes(source: ByteSource, meta: Atom): Promise<number> {
  const name = (await source.read(meta.content + 4, 4)).toString('latin1');
  return name === 'hdlr' ? 0 : 4;
}

function shrink(atom: Atom, lengthBytes: number, log: PictureLog): void {
  if (atom.sizeFieldBytes === 0) return;
  const size = Buffer.alloc(atom.sizeFieldBytes);
  if (atom.sizeFieldBytes === 8) {
    size.writeBigUInt64BE(BigInt(lengthBytes));
    log.replace(atom.start + 8, 8, size);
  } else {
    size.writeUInt32BE(lengthBytes);
    log.replace(atom.start, 4, size);
  }
}
