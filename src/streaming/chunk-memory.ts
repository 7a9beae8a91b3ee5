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

/** What one response reads into; it gets more when its client has taken what it had. */
export interface ChunkLoan {
  /** Settles when there is memory for one more chunk; rejects once the loan is closed. */
  next(): Promise<Buffer>;
  /** The socket has taken over the chunk, whole or cut at its end. */
  taken(chunk: Uint8Array): void;
  /** No more is asked for; what is still out is left to the garbage collector. */
  close(): void;
}

const SMALLEST_BYTES = 16_384;
/** Of each size; 16 MB in all when every one is kept. */
const MAX_KEPT = 32;

/** A client that stalls holds this much, beside what its kernel and ours hold. */
const SMALL_CHUNK_BYTES = 32_768;
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

/** How fast the client of a connection takes what it is given. */
interface Pace {
  isFast: boolean;
  judgedBytes: number;
  judgedFrom: number;
}

/**
 * Chunks by the pace of the client. Fresh memory for each would be gigabytes of garbage a second, and
 * collecting it costs more than sending it.
 *
 * @param now milliseconds on a clock that never goes back
 */
export function createChunkMemory(now: () => number = () => performance.now()): ChunkMemory {
  const kept = new Map<number, Buffer[]>();
  const paces = new WeakMap<object, Pace>();
  let largeOut = 0;

  const take = (lengthBytes: number): Buffer => {
    const size = sizeFor(lengthBytes);
    return kept.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
  };
  const giveBack = (buffer: Buffer): void => {
    const list = kept.get(buffer.length);
    if (!list) kept.set(buffer.length, [buffer]);
    else if (list.length < MAX_KEPT) list.push(buffer);
  };

  const paceOf = (connection: object): Pace => {
    const known = paces.get(connection);
    if (known) return known;
    const pace = { isFast: false, judgedBytes: 0, judgedFrom: now() };
    paces.set(connection, pace);
    return pace;
  };

  const lend = ({ connection, lengthBytes }: LoanOptions): ChunkLoan => {
    const pace = paceOf(connection);
    /** by their memory: a chunk may be cut at its end */
    const out = new Map<ArrayBufferLike, { readonly buffer: Buffer; readonly since: number }>();
    let waiting: { resolve(buffer: Buffer): void; reject(error: Error): void } | undefined;
    let isClosed = false;
    pace.judgedBytes = 0;
    pace.judgedFrom = now();

    const lendNext = (): Buffer => {
      const isLarge =
        (pace.isFast || lengthBytes <= SHORT_RESPONSE_BYTES) && largeOut < MAX_LARGE_OUT;
      const buffer = take(isLarge ? LARGE_CHUNK_BYTES : SMALL_CHUNK_BYTES);
      if (isLarge) largeOut += 1;
      out.set(buffer.buffer, { buffer, since: now() });
      return buffer;
    };

    return {
      next() {
        if (isClosed) return Promise.reject(new Error('the response is over'));
        if (out.size === 0) return Promise.resolve(lendNext());
        return new Promise((resolve, reject) => {
          waiting = { resolve, reject };
        });
      },
      taken(chunk) {
        const loan = out.get(chunk.buffer);
        if (!loan) return;
        out.delete(chunk.buffer);
        if (loan.buffer.length === LARGE_CHUNK_BYTES) largeOut -= 1;
        giveBack(loan.buffer);
        judge(pace, chunk.length, loan.since, now());
        const reader = waiting;
        waiting = undefined;
        reader?.resolve(lendNext());
      },
      close() {
        for (const { buffer } of out.values()) {
          if (buffer.length === LARGE_CHUNK_BYTES) largeOut -= 1;
        }
        out.clear();
        isClosed = true;
        waiting?.reject(new Error('the response is over'));
      },
    };
  };

  return { take, giveBack, lend };
}

function judge(pace: Pace, bytes: number, since: number, time: number): void {
  if (time - since > SLOW_CHUNK_MS) pace.isFast = false;
  pace.judgedBytes += bytes;
  if (pace.judgedBytes < JUDGED_BYTES) return;
  pace.isFast = pace.judgedBytes / (time - pace.judgedFrom) >= FAST_BYTES_PER_MS;
  pace.judgedBytes = 0;
  pace.judgedFrom = time;
}

/** Powers of two, so that there are few sizes. */
function sizeFor(lengthBytes: number): number {
  let size = SMALLEST_BYTES;
  while (size < lengthBytes) size *= 2;
  return size;
}
