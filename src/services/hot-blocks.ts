import { lengthOf, type ByteRange } from '../streaming/byte-range';
import { type BytesInMemory } from '../streaming/representation';
import { countRequest, createRecentCount, recentRequests, type RecentCount } from './recent-count';

/** Reads a range that fits one read; fewer bytes mean that the file has shrunk. */
export type ReadRange = (range: ByteRange) => Promise<BytesInMemory>;

/** The blocks of one state of one track. */
export interface TrackBlocks {
  /** The bytes, when all of them are in memory. */
  readNow(range: ByteRange): BytesInMemory | undefined;
  /** Counts a range that was not in memory; what is asked for much is read into it. */
  note(range: ByteRange): void;
  /** Forgets them all. */
  clear(): void;
}

export interface HotBlocks {
  /** @param sizeBytes of the track */
  of(read: ReadRange, sizeBytes: number): TrackBlocks;
}

export interface HotBlocksOptions {
  /** 0 for none */
  readonly maxBytes: number;
  /** milliseconds on a clock that never goes back */
  readonly now?: () => number;
}

/** Large enough that a range of 64 KiB mostly lies in one of them, small enough for one read. */
const BLOCK_BYTES = 262_144;
/** Longer ranges are no seek of many at once, and would fill the memory with what few ask for. */
const LONGEST_BYTES = 1_048_576;
/** So many requests within {@link WINDOW_MS} make a block worth reading whole. */
const WORTHY = 3;
const WINDOW_MS = 1_000;

interface Block extends RecentCount {
  bytes: Uint8Array | undefined;
  isLoading: boolean;
}

/**
 * Blocks of the tracks that crowds ask for: bytes in memory need no thread, no system call and no
 * copy on their way to the socket.
 *
 * Within `maxBytes`; a block gives way only to one that is asked for more often.
 */
export function createHotBlocks({
  maxBytes,
  now = () => performance.now(),
}: HotBlocksOptions): HotBlocks {
  /** those in memory; the longest unused first */
  const loaded = new Set<Block>();

  const unload = (block: Block): void => {
    block.bytes = undefined;
    loaded.delete(block);
  };

  /** @returns whether there is room for one more, which is asked for so often */
  const makeRoom = (heat: number): boolean => {
    if ((loaded.size + 1) * BLOCK_BYTES <= maxBytes) return true;
    const [oldest] = loaded;
    if (!oldest || heatOf(oldest, now()) >= heat) return false;
    unload(oldest);
    return true;
  };

  const load = async (block: Block, read: () => Promise<BytesInMemory>): Promise<void> => {
    const heat = heatOf(block, now());
    if (block.bytes || block.isLoading || heat < WORTHY || !makeRoom(heat)) return;
    block.isLoading = true;
    try {
      // never released: the memory is the block's from now on
      const [bytes] = (await read()).pieces;
      if (!makeRoom(heat)) return;
      block.bytes = bytes;
      loaded.add(block);
    } catch {
      // whoever asked reads for themselves, and meets the same
    } finally {
      block.isLoading = false;
    }
  };

  const of = (read: ReadRange, sizeBytes: number): TrackBlocks => {
    let blocks: (Block | undefined)[] = [];
    let isCleared = false;

    const loadBeside = (index: number): void => {
      const block = (blocks[index] ??= createBlock(now()));
      countRequest(block, now(), WINDOW_MS);
      const firstPos = index * BLOCK_BYTES;
      const range = { firstPos, lastPos: Math.min(firstPos + BLOCK_BYTES, sizeBytes) - 1 };
      void load(block, async () => {
        const bytes = await read(range);
        const isWhole = bytes.pieces[0]?.length === lengthOf(range);
        if (!isWhole || isCleared) throw new Error('not the bytes of this state');
        return bytes;
      });
    };

    return {
      readNow(range) {
        if (lengthOf(range) > LONGEST_BYTES) return undefined;
        const pieces: Uint8Array[] = [];
        for (const index of indexesOf(range)) {
          const block = blocks[index];
          if (!block?.bytes) return undefined;
          countRequest(block, now(), WINDOW_MS);
          loaded.delete(block); // to the end of the line
          loaded.add(block);
          const start = index * BLOCK_BYTES;
          pieces.push(
            block.bytes.subarray(Math.max(0, range.firstPos - start), range.lastPos - start + 1),
          );
        }
        return { pieces, release: () => undefined };
      },
      note(range) {
        if (maxBytes === 0 || lengthOf(range) > LONGEST_BYTES) return;
        for (const index of indexesOf(range)) loadBeside(index);
      },
      clear() {
        isCleared = true;
        for (const block of blocks) if (block) unload(block);
        blocks = [];
      },
    };
  };
  return { of };
}

function createBlock(from: number): Block {
  return { ...createRecentCount(from), bytes: undefined, isLoading: false };
}

/** The blocks that a range touches. */
function indexesOf({ firstPos, lastPos }: ByteRange): readonly number[] {
  const first = Math.floor(firstPos / BLOCK_BYTES);
  const last = Math.floor(lastPos / BLOCK_BYTES);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Requests in about the last second. */
function heatOf(block: Block, time: number): number {
  return recentRequests(block, time, WINDOW_MS);
}
