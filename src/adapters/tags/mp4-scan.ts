import { type ByteSource } from './byte-source';
import { type Atom, readAtoms } from './mp4-atom';
import { createMovieReader, type Mp4Facts } from './mp4-movie';
import { type PictureLog } from './picture-scan';

// The ways down to the pictures and to what describes the tracks; only these are opened.
const CONTAINERS = new Set([
  'moov',
  'moov/trak',
  'moov/trak/edts',
  'moov/trak/mdia',
  'moov/trak/mdia/minf',
  'moov/trak/mdia/minf/stbl',
  'moov/udta',
  'moov/udta/meta',
  'moov/udta/meta/ilst',
]);
const PICTURE_ATOM = 'moov/udta/meta/ilst/covr';
const MOST_ATOMS = 10_000;

/**
 * Cuts the cover out of an MP4 file, and shrinks every atom around it; reads its sound track's
 * description on the way.
 *
 * @see ISO/IEC 14496-12 §4.2 (atoms), QuickTime File Format (metadata item list)
 */
export async function scanMp4(source: ByteSource, log: PictureLog): Promise<Mp4Facts> {
  const movie = createMovieReader(source);
  let atomsLeft = MOST_ATOMS;

  /** @returns bytes cut between `first` and `end` */
  async function scanAtoms(parent: string, first: number, end: number): Promise<number> {
    let cutBytes = 0;
    for await (const atom of readAtoms(source, { first, end }, atomsLeft)) {
      if (atomsLeft <= 0) break;
      atomsLeft -= 1;
      const path = parent === '' ? atom.name : `${parent}/${atom.name}`;
      cutBytes += await scanAtom(path, atom);
      // fragments may go on for hours, and no tag is behind the movie atom
      if (path === 'moov') break;
    }
    return cutBytes;
  }

  async function scanAtom(path: string, atom: Atom): Promise<number> {
    const lengthBytes = atom.end - atom.start;
    if (path === PICTURE_ATOM) {
      if (log.addPicture(lengthBytes)) return 0;
      log.cut(atom.start, lengthBytes);
      return lengthBytes;
    }
    await movie.visit(path, atom);
    if (!CONTAINERS.has(path)) return 0;
    const skip = atom.name === 'meta' ? await versionBytes(source, atom) : 0;
    const cutBytes = await scanAtoms(path, atom.content + skip, atom.end);
    if (cutBytes > 0) shrink(atom, lengthBytes - cutBytes, log);
    return cutBytes;
  }

  await scanAtoms('', 0, source.sizeBytes);
  return movie.finish(log);
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
