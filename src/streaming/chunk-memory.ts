import { createLoan, createPace, type ChunkLoan, type Pace } from './chunk-loan';
import { createTurns } from './turns';

/** Memory that is read into and handed on to sockets, used over and over. */
export interface ChunkMemory {
  /** Bytes of any content, `lengthBytes` or more of them. */
  take(lengthBytes: number): Buffer;
  /** Gives back what nobody looks at any more. */
  giveBack(buffer: Buffer): void;
  /** Memory for the chunks of one response. */
  lend(options: LoanOptions): ChunkLoan;
}

export interface LoanOptions {
  /** the connection; how fast its client was before is remembered by it */
  readonly connection: object;
  /** bytes that the response is going to send */
  readonly lengthBytes: number;
}

const SMALLEST_BYTES = 16_384;
/** Of each size; 16 MB in all when every one is kept. */
const MAX_KEPT = 32;
/** Reads of long responses under way: as many as libuv has threads, of which each waits for a disk. */
const PLACES = 3;
/** Longer than any disk takes that works; the thread is lost to it, the place is not. */
const OVERDUE_MS = 1_000;

/**
 * Chunks by the pace of the client. Fresh memory for each would be gigabytes of garbage a second, and
 * collecting it costs more than sending it.
 *
 * @param now milliseconds on a clock that never goes back
 */
export function createChunkMemory(now: () => number = () => performance.now()): ChunkMemory {
  const kept = new Map<number, Buffer[]>();
  const paces = new WeakMap<object, Pace>();

  const take = (lengthBytes: number): Buffer => {
    const size = sizeFor(lengthBytes);
    return kept.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
  };
  const giveBack = (buffer: Buffer): void => {
    const list = kept.get(buffer.length);
    if (!list) kept.set(buffer.length, [buffer]);
    else if (list.length < MAX_KEPT) list.push(buffer);
  };
  const lender = {
    take,
    giveBack,
    turns: createTurns({ places: PLACES, overdueMs: OVERDUE_MS, now }),
    out: 0,
    largeOut: 0,
    now,
  };

  return {
    take,
    giveBack,
    lend({ connection, lengthBytes }) {
      let pace = paces.get(connection);
      if (!pace) paces.set(connection, (pace = createPace()));
      return createLoan(lender, pace, lengthBytes);
    },
  };
}

/** Powers of two, so that there are few sizes. */
function sizeFor(lengthBytes: number): number {
  let size = SMALLEST_BYTES;
  while (size < lengthBytes) size *= 2;
  return size;
}
