import { type OpenedTrack } from '../storage/track-store';
import { lengthOf, type ByteRange } from '../streaming/byte-range';
import { type BytesInMemory, type ReadInto } from '../streaming/representation';
import { prepareRepresentation, type PreparedRepresentation } from '../streaming/response-plan';
import { type HotBlocks, type ReadRange, type TrackBlocks } from './hot-blocks';
import { describeOriginal, type SelectedTrack } from './track-source';

/** A track that stays open between requests. */
export interface Kept {
  readonly selected: SelectedTrack & { readonly original: PreparedRepresentation };
  readonly isCurrent: () => Promise<boolean>;
  /**
   * Notes the range for the hot blocks, and reads only bytes of the state that was selected: a file
   * can be overwritten under its handle.
   */
  readAtOnce?: ReadRange;
  blocks?: TrackBlocks;
  users: number;
  /** the last look that found nothing changed began then */
  seenAt: number;
  look: Promise<boolean> | undefined;
  /** no longer handed out; closes with its last user */
  isDropped: boolean;
  /** since the last sweep */
  wasUsed: boolean;
}

/** Undefined for a track whose store cannot tell whether it has changed. */
export function createEntry(
  selected: SelectedTrack,
  seenAt: number,
  hotBlocks: HotBlocks,
): Kept | undefined {
  const { isCurrent, isUnchanged, readAtOnce, sizeBytes } = selected.track;
  if (!isCurrent) return undefined;
  const entry: Kept = {
    selected: {
      ...selected,
      original: prepareRepresentation(describeOriginal(selected), Date.now()),
    },
    isCurrent,
    users: 0,
    seenAt,
    look: undefined,
    isDropped: false,
    wasUsed: true,
  };
  if (!readAtOnce) return entry;
  const readAndCheck: ReadRange = async (range) => {
    const bytes = await readAtOnce(range);
    if (!isUnchanged || (await isUnchanged())) return bytes;
    bytes.release();
    entry.seenAt = -Infinity;
    throw new Error('the file was changed in its place');
  };
  const blocks = hotBlocks.of(readAndCheck, sizeBytes);
  entry.blocks = blocks;
  entry.readAtOnce = (range) => {
    blocks.note(range);
    return readAndCheck(range);
  };
  return entry;
}

/** Long answers from memory that may be out at once: whoever does not take them holds their blocks. */
const MAX_LONG_OUT = 32;
const LONG_BYTES = 131_072;

/** How many of them are out. */
export interface LongAnswers {
  out: number;
}

/** A kept track in the hands of one request. */
export class LentTrack implements OpenedTrack {
  readonly fileName: string;
  readonly extension: string;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly descriptor?: number;
  readonly openBeside?: NonNullable<OpenedTrack['openBeside']>;
  readonly readAtOnce?: NonNullable<OpenedTrack['readAtOnce']>;
  private isReturned = false;
  private longOut = 0;

  constructor(
    private readonly entry: Kept,
    private readonly longAnswers: LongAnswers,
  ) {
    const { track } = entry.selected;
    this.fileName = track.fileName;
    this.extension = track.extension;
    this.sizeBytes = track.sizeBytes;
    this.mtimeNs = track.mtimeNs;
    if (track.descriptor !== undefined) this.descriptor = track.descriptor;
    if (track.openBeside) this.openBeside = track.openBeside;
    if (entry.readAtOnce) this.readAtOnce = entry.readAtOnce;
  }

  read(...[range, signal, into]: Parameters<OpenedTrack['read']>): ReturnType<OpenedTrack['read']> {
    const { blocks, selected } = this.entry;
    blocks?.note(range);
    const noteAndRead: ReadInto | undefined =
      into &&
      (async (firstPos) => {
        const buffer = await into(firstPos);
        // clients that take what they are given: many of them will be back for the same
        if (buffer.length > LONG_BYTES) {
          blocks?.note({
            firstPos,
            lastPos: Math.min(firstPos + buffer.length - 1, range.lastPos),
          });
        }
        return buffer;
      });
    return selected.track.read(range, signal, noteAndRead);
  }

  readNow(range: ByteRange): BytesInMemory | undefined {
    const isLong = lengthOf(range) > LONG_BYTES;
    if (isLong && this.longAnswers.out >= MAX_LONG_OUT) return undefined;
    const bytes = this.entry.blocks?.readNow(range);
    if (!bytes || !isLong) return bytes;
    this.countLong(1);
    return {
      pieces: bytes.pieces,
      release: () => {
        // closing may have been first: then they are counted no longer
        if (!this.isReturned) this.countLong(-1);
      },
    };
  }

  private countLong(change: 1 | -1): void {
    this.longOut += change;
    this.longAnswers.out += change;
  }

  async close(): Promise<void> {
    if (this.isReturned) return;
    this.isReturned = true;
    this.longAnswers.out -= this.longOut;
    this.entry.users -= 1;
    if (this.entry.isDropped && this.entry.users === 0) await this.entry.selected.track.close();
  }
}
