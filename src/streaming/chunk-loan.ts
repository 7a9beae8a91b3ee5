import { type Turn, type Turns } from './turns';

/** What one response reads into; it gets more when its client has taken what it had. */
export interface ChunkLoan {
  /** Settles when there is memory for one more chunk; rejects once the loan is closed. */
  next(): Promise<Buffer>;
  /** The chunk is with the socket, which may take it over now or later: others may read. */
  handedOver(): void;
  /** The socket has taken over the chunk, whole or cut at its end. */
  taken(chunk: Uint8Array): void;
  /** No more is asked for; what is still out is left to the garbage collector. */
  close(): void;
}

/** What all loans of a process share. */
export interface Lender {
  take(lengthBytes: number): Buffer;
  giveBack(buffer: Buffer): void;
  readonly turns: Turns;
  /** chunks that are out */
  out: number;
  /** those of the large size among them */
  largeOut: number;
  /** milliseconds on a clock that never goes back */
  readonly now: () => number;
}

/** How fast the client of a connection takes what it is given. */
export interface Pace {
  isFast: boolean;
  judgedBytes: number;
  judgedFrom: number;
}

/** A client that stalls holds this much, beside what its kernel and ours hold. */
const SMALL_CHUNK_BYTES = 32_768;
/** The same among a crowd of {@link CROWD}. */
const TINY_CHUNK_BYTES = 16_384;
/** So many chunks out are a crowd that mostly does not take them at once. */
const CROWD = 256;
/** For clients that take what they are given: fewer and larger reads. */
const LARGE_CHUNK_BYTES = 262_144;
/** Large chunks that may be out: a crowd that was fast and stalls must not hold gigabytes. */
const MAX_LARGE_OUT = 64;
/** A response no longer than this is read in large chunks from its start. */
const SHORT_RESPONSE_BYTES = 1_048_576;
/** Judged by more than the kernels' buffers take at once on the way to a client that reads nothing. */
const JUDGED_BYTES = 4_194_304;
const FAST_BYTES_PER_MS = 8_000;
/** A chunk that takes longer shows a client that is slow or sated. */
const SLOW_CHUNK_MS = 250;
/** So much of a response goes out before it has to wait for its turn: enough to begin to play. */
const YOUNG_BYTES = 32_768;

/** Of a client of whom nothing is known. */
export function createPace(): Pace {
  return { isFast: false, judgedBytes: 0, judgedFrom: 0 };
}

/** Memory for the chunks of one response of `lengthBytes`, one at a time. */
export function createLoan(lender: Lender, pace: Pace, lengthBytes: number): ChunkLoan {
  return new Loan(lender, pace, lengthBytes);
}

class Loan implements ChunkLoan {
  private out: Buffer | undefined;
  private outSince = 0;
  private takenBytes = 0;
  private isClosed = false;
  private turn: Turn | undefined;
  private reader: { resolve(buffer: Buffer): void; reject(error: Error): void } | undefined;

  constructor(
    private readonly lender: Lender,
    private readonly pace: Pace,
    private readonly lengthBytes: number,
  ) {
    pace.judgedBytes = 0;
    pace.judgedFrom = lender.now();
  }

  next(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.reader = { resolve, reject };
      if (this.isClosed) this.refuse();
      else if (!this.out) this.ask();
    });
  }

  handedOver(): void {
    this.turn?.end();
    this.turn = undefined;
  }

  taken(chunk: Uint8Array): void {
    const { out, lender, pace } = this;
    if (out?.buffer !== chunk.buffer) return;
    const time = lender.now();
    this.putBack();
    lender.giveBack(out);
    this.takenBytes += chunk.length;
    judge(pace, chunk.length, this.outSince, time);
    if (this.reader) this.ask();
  }

  close(): void {
    this.isClosed = true;
    this.handedOver();
    this.putBack();
    this.refuse();
  }

  private ask(): void {
    if (this.takenBytes < YOUNG_BYTES) this.lend();
    else
      this.turn = this.lender.turns.take(() => {
        this.lend();
      });
  }

  private lend(): void {
    const { lender, reader } = this;
    const buffer = lender.take(this.chunkBytes());
    lender.out += 1;
    if (buffer.length === LARGE_CHUNK_BYTES) lender.largeOut += 1;
    this.out = buffer;
    this.outSince = lender.now();
    this.reader = undefined;
    reader?.resolve(buffer);
  }

  private chunkBytes(): number {
    const { lender, pace, lengthBytes } = this;
    const mayBeLarge = pace.isFast || lengthBytes <= SHORT_RESPONSE_BYTES;
    if (mayBeLarge && lender.largeOut < MAX_LARGE_OUT) return LARGE_CHUNK_BYTES;
    return lender.out < CROWD ? SMALL_CHUNK_BYTES : TINY_CHUNK_BYTES;
  }

  private putBack(): void {
    const { out, lender } = this;
    if (!out) return;
    lender.out -= 1;
    if (out.length === LARGE_CHUNK_BYTES) lender.largeOut -= 1;
    this.out = undefined;
  }

  private refuse(): void {
    this.reader?.reject(new Error('the response is over'));
    this.reader = undefined;
  }
}

function judge(pace: Pace, bytes: number, since: number, time: number): void {
  if (time - since > SLOW_CHUNK_MS) pace.isFast = false;
  pace.judgedBytes += bytes;
  if (pace.judgedBytes < JUDGED_BYTES) return;
  pace.isFast = pace.judgedBytes / (time - pace.judgedFrom) >= FAST_BYTES_PER_MS;
  pace.judgedBytes = 0;
  pace.judgedFrom = time;
}
