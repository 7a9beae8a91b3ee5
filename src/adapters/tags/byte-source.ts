/** Bytes by position, whatever lies below: a store, or another source with some of it cut out. */
export interface ByteSource {
  readonly sizeBytes: number;
  /**
   * Bytes from `position`; fewer only where the source ends.
   *
   * @throws ReadLimitError when the reading asks for more than one track may cost
   */
  read(position: number, lengthBytes: number): Promise<Buffer>;
}

/** Fetches exactly this many bytes, all of them inside the track. */
export type FetchBytes = (position: number, lengthBytes: number) => Promise<Uint8Array>;

/** A track wants more bytes read than its tags are worth; the same track will want it again. */
export class ReadLimitError extends Error {
  override readonly name = 'ReadLimitError';
}

/** What one track may cost: a heap limit does not see Buffers, so their bytes are counted here. */
export interface ReadLimits {
  readonly singleReadBytes: number;
  readonly totalBytes: number;
}

export const READ_LIMITS: ReadLimits = {
  singleReadBytes: 16 * 1024 * 1024,
  totalBytes: 64 * 1024 * 1024,
};

// A jump reads little, since the next read is likely a jump as well (clusters, fragments, frames);
// whoever reads on gets blocks that grow.
const SMALLEST_BLOCK_BYTES = 4 * 1024;
const LARGEST_BLOCK_BYTES = 256 * 1024;
const KEPT_BLOCKS = 4;

interface Block {
  readonly position: number;
  readonly bytes: Buffer;
}

/** A source in front of a slow one: small reads come from blocks read ahead, and all is counted. */
export function createBufferedSource(
  sizeBytes: number,
  fetchBytes: FetchBytes,
  limits: ReadLimits = READ_LIMITS,
): ByteSource {
  let blocks: readonly Block[] = [];
  let fetchedBytes = 0;

  async function fetchCounted(position: number, lengthBytes: number): Promise<Buffer> {
    fetchedBytes += lengthBytes;
    if (fetchedBytes > limits.totalBytes) {
      throw new ReadLimitError(`more than ${limits.totalBytes} bytes in all`);
    }
    const bytes = await fetchBytes(position, lengthBytes);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  async function readAhead(position: number, lengthBytes: number): Promise<Buffer> {
    const before = blocks.find((block) => block.position + block.bytes.length === position);
    const ahead = before
      ? Math.min(before.bytes.length * 4, LARGEST_BLOCK_BYTES)
      : SMALLEST_BLOCK_BYTES;
    const wanted = Math.min(Math.max(lengthBytes, ahead), sizeBytes - position);
    const bytes = await fetchCounted(position, wanted);
    blocks = [{ position, bytes }, ...blocks].slice(0, KEPT_BLOCKS);
    return bytes.subarray(0, lengthBytes);
  }

  async function read(position: number, lengthBytes: number): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(lengthBytes, sizeBytes - position));
    if (wanted > limits.singleReadBytes) {
      throw new ReadLimitError(`${wanted} bytes at once`);
    }
    if (wanted === 0) return Buffer.alloc(0);
    const hit = blocks.find((block) => contains(block, position));
    if (!hit) {
      return wanted > LARGEST_BLOCK_BYTES
        ? fetchCounted(position, wanted)
        : readAhead(position, wanted);
    }
    const offset = position - hit.position;
    const known = hit.bytes.subarray(offset, offset + wanted);
    if (known.length === wanted) return known;
    return Buffer.concat([known, await read(position + known.length, wanted - known.length)]);
  }

  return { sizeBytes, read };
}

function contains(block: Block, position: number): boolean {
  return position >= block.position && position < block.position + block.bytes.length;
}

/** At `position`, `removeBytes` give way to `insert`. */
export interface Edit {
  readonly position: number;
  readonly removeBytes: number;
  readonly insert: Buffer;
}

interface Piece {
  /** where the piece begins in the edited source */
  readonly at: number;
  readonly lengthBytes: number;
  readonly read: (offset: number, lengthBytes: number) => Promise<Buffer>;
}

/** The source with the edits made; what is removed is never read. Edits must not overlap. */
export function createEditedSource(source: ByteSource, edits: readonly Edit[]): ByteSource {
  if (edits.length === 0) return source;
  const pieces = cutPieces(source, edits);
  const last = pieces.at(-1);
  const sizeBytes = last ? last.at + last.lengthBytes : 0;

  return {
    sizeBytes,
    async read(position, lengthBytes) {
      const end = Math.min(position + lengthBytes, sizeBytes);
      const parts: Buffer[] = [];
      for (const piece of pieces) {
        const from = Math.max(position, piece.at);
        const to = Math.min(end, piece.at + piece.lengthBytes);
        if (from < to) parts.push(await piece.read(from - piece.at, to - from));
      }
      const [only] = parts;
      return parts.length === 1 && only ? only : Buffer.concat(parts);
    },
  };
}

function cutPieces(source: ByteSource, edits: readonly Edit[]): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let taken = 0;
  function add(lengthBytes: number, read: Piece['read']): void {
    if (lengthBytes <= 0) return;
    pieces.push({ at, lengthBytes, read });
    at += lengthBytes;
  }
  function addOriginalUpTo(end: number): void {
    const first = taken;
    add(end - first, (offset, length) => source.read(first + offset, length));
  }

  for (const { position, removeBytes, insert } of edits.toSorted(
    (a, b) => a.position - b.position,
  )) {
    addOriginalUpTo(position);
    add(insert.length, (offset, length) =>
      Promise.resolve(insert.subarray(offset, offset + length)),
    );
    taken = position + removeBytes;
  }
  addOriginalUpTo(source.sizeBytes);
  return pieces;
}
