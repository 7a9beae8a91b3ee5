import { type ByteSource } from './byte-source';

export interface Atom {
  readonly name: string;
  readonly start: number;
  readonly content: number;
  readonly end: number;
  /** bytes of the size field; 0 when the atom reaches to the end of the file */
  readonly sizeFieldBytes: 0 | 4 | 8;
}

/** The span atoms are in: `end` is exclusive. */
export interface AtomSpan {
  readonly first: number;
  readonly end: number;
}

/**
 * The atoms that follow each other in a span, until the first that does not fit in it.
 *
 * @param most a hostile file has millions of them
 * @see ISO/IEC 14496-12 §4.2
 */
export async function* readAtoms(
  source: ByteSource,
  { first, end }: AtomSpan,
  most: number,
): AsyncGenerator<Atom> {
  let position = first;
  for (let count = 0; count < most && position + 8 <= end; count += 1) {
    const atom = await readAtom(source, position, end);
    if (!atom) return;
    yield atom;
    position = atom.end;
  }
}

/** The first bytes of an atom's content, with zeros where it has fewer. */
export async function readContent(
  source: ByteSource,
  atom: Atom,
  lengthBytes: number,
): Promise<Buffer> {
  const padded = Buffer.alloc(lengthBytes);
  const present = Math.min(lengthBytes, atom.end - atom.content);
  (await source.read(atom.content, present)).copy(padded);
  return padded;
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
