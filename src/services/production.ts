import { Readable } from 'node:stream';
import { AppError } from '../errors';
import { type DerivedFiles } from '../storage/derived-files';
import { type ByteRange } from '../streaming/byte-range';
import { type ByteSource } from '../streaming/representation';
import { createGrowingOutput, type GrowingOutput, type OutputReader } from './growing-output';
import { type JobSlots } from './job-slots';

/** What is to be made, and how. */
export interface Recipe {
  /** names the output: the same key, the same bytes; letters, digits, `_` and `-` */
  readonly key: string;
  /** of the whole output, where it is known before; output of another length is a failure */
  readonly lengthBytes?: number;
  /**
   * Makes the output, in its order. What it needs must stay open until `Product.whenOver`.
   *
   * @throws AppError for what the client should be told
   */
  produce(append: (chunk: Buffer) => Promise<void>, signal: AbortSignal): Promise<void>;
}

/** An output that is there, or on its way. */
export interface Product extends ByteSource {
  /** of the whole; undefined while that is not known */
  readonly lengthBytes: number | undefined;
  readonly isWhole: boolean;
  /**
   * Waits until so many bytes are there, or the output is whole; decides it before an answer begins.
   *
   * @throws AppError `not_ready_yet` when that would take more than 20 s; what the production failed
   *   with; the signal's reason
   */
  until(bytes: number, signal: AbortSignal): Promise<void>;
  /** settles when nothing that the recipe uses is in use any more; never rejects */
  readonly whenOver: Promise<void>;
  /** Whoever opened closes, once. A production that nobody waits for any more is ended. */
  close(): void;
}

const CHUNK_BYTES = 65_536;
const LONGEST_WAIT_MS = 20_000;
/** So long a speed is measured before it is believed. */
const MEASURE_MS = 1_000;
/** Nearly done: the rest costs less than what was spent. */
const WORTH_FINISHING = 0.8;
/** Who is told to come back finds it further on: somewhat longer than `Retry-After`. */
const KEPT_FOR_RETRY_MS = 10_000;
const NEVER = new AbortController().signal;

export interface ProductionDeps {
  readonly files: Pick<DerivedFiles, 'create'>;
  readonly slots: JobSlots;
  /** told that an output could not be kept; it was delivered all the same */
  readonly onNotKept: (error: unknown) => void;
}

type Order = Recipe & { readonly subject: string };

/** One that is running, or read to its end. */
export interface Production {
  /** Whether all of it can be had: on a broken disk what comes late finds the beginning gone. */
  isJoinable(): boolean;
  join(): Product;
  /** Ends it; settles when nothing of it is left but what is kept. */
  close(): Promise<void>;
}

export interface ProductionEvents {
  /** no more is made: who asks now does not join */
  readonly forget: () => void;
  readonly onClosed: () => void;
}

/** Makes an output once, for all who join. It waits for its place first. */
export function startProduction(
  recipe: Order,
  deps: ProductionDeps,
  { forget, onClosed }: ProductionEvents,
): Production {
  const stopping = new AbortController();
  const output = createGrowingOutput(() => deps.files.create(recipe.key));
  const speed = createSpeedometer(output);
  let users = 0;

  const whenOver = produce(recipe, deps, output, stopping.signal)
    .then(() => {
      // the disk need not have all of it: whoever waited for the last byte is told the length
      output.end();
      return output.commit().catch(deps.onNotKept);
    })
    .catch((error: unknown) => {
      output.end(error instanceof Error ? error : new Error('not produced', { cause: error }));
    })
    .finally(forget);

  const stop = (): void => {
    forget();
    const reason = ended();
    stopping.abort(reason);
    // who waits for readers to take something waits no more
    output.end(reason);
  };

  const close = async (): Promise<void> => {
    await whenOver;
    await output.close();
    onClosed();
  };

  const leave = (): void => {
    users -= 1;
    if (users > 0) return;
    const { lengthBytes = Infinity } = recipe;
    const isWorthFinishing = output.writtenBytes >= lengthBytes * WORTH_FINISHING;
    if (!output.isEnded && !isWorthFinishing) stop();
    void whenOver.then(() => (users === 0 ? close() : undefined));
  };

  return {
    close() {
      stop();
      return close();
    },
    isJoinable: () => output.hasBeginning,
    join() {
      users += 1;
      return {
        get lengthBytes() {
          return output.isWhole ? output.writtenBytes : recipe.lengthBytes;
        },
        get isWhole() {
          return output.isWhole;
        },
        whenOver,
        async until(bytes, signal) {
          const waitingSince = performance.now();
          while (!(await output.reached(bytes, MEASURE_MS, signal))) {
            signal.throwIfAborted();
            const waitedMs = performance.now() - waitingSince;
            if (waitedMs + speed.msUntil(bytes) <= LONGEST_WAIT_MS) continue;
            users += 1;
            setTimeout(leave, KEPT_FOR_RETRY_MS).unref();
            throw notReadyYet();
          }
        },
        read(range, signal) {
          return follow(output.openReader(), range, signal);
        },
        close: leave,
      };
    },
  };
}

function follow(reader: OutputReader, range: ByteRange, signal: AbortSignal = NEVER): Readable {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let position = range.firstPos; position <= range.lastPos;) {
      signal.throwIfAborted();
      const left = range.lastPos - position + 1;
      const chunk = await reader.read(position, Math.min(left, CHUNK_BYTES), signal);
      if (chunk.length === 0) return;
      yield chunk;
      position += chunk.length;
    }
  }
  return Readable.from(chunks(), { objectMode: false }).once('close', () => {
    reader.close();
  });
}

/** What readers of a production get that was ended. */
export function ended(): AppError {
  return new AppError('overloaded', 'The conversion was ended');
}

async function produce(
  recipe: Order,
  { slots }: ProductionDeps,
  output: GrowingOutput,
  signal: AbortSignal,
): Promise<void> {
  const release = await slots.take(recipe.subject, signal);
  try {
    await recipe.produce((chunk) => output.append(chunk), signal);
  } finally {
    release();
  }
  // it may have gone well in the moment in which it was stopped: nobody can have the end of it then
  signal.throwIfAborted();
  const { lengthBytes = output.writtenBytes } = recipe;
  if (output.writtenBytes !== lengthBytes || output.writtenBytes === 0) {
    throw new Error(`${output.writtenBytes} bytes came instead of ${lengthBytes}`);
  }
}

interface Speedometer {
  /** at the speed so far; 0 while that is not known, or the end is not */
  msUntil(bytes: number): number;
}

function createSpeedometer(output: Pick<GrowingOutput, 'writtenBytes'>): Speedometer {
  let first: { readonly bytes: number; readonly atMs: number } | undefined;
  return {
    msUntil(bytes) {
      const now = { bytes: output.writtenBytes, atMs: performance.now() };
      // whoever waits for the whole waits until it is there: nobody knows how much that is
      if (now.bytes === 0 || !Number.isFinite(bytes)) return 0;
      first ??= now;
      const grownBytes = now.bytes - first.bytes;
      if (grownBytes === 0) return 0;
      return ((bytes - now.bytes) * (now.atMs - first.atMs)) / grownBytes;
    },
  };
}

function notReadyYet(): AppError {
  return new AppError('not_ready_yet', 'This part is not converted yet; try again in a moment');
}
