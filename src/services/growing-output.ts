import { type DerivedDraft } from '../storage/derived-files';

/** Output that is being produced, and read from its beginning while it grows. */
export interface GrowingOutput {
  readonly writtenBytes: number;
  /** whether its beginning is there: without a disk only the latest of much output is */
  readonly hasBeginning: boolean;
  /** whether no more comes */
  readonly isEnded: boolean;
  /** no more comes, and nothing failed */
  readonly isWhole: boolean;
  /**
   * Adds to the end. Pending while the disk takes it, or, where that has failed, while readers are
   * too far behind for the memory there is.
   */
  append(chunk: Buffer): Promise<void>;
  /**
   * No more comes.
   *
   * @param failure what readers that need more get; without it the output is whole
   */
  end(failure?: Error): void;
  /** Makes the whole output findable. @throws when the disk does not have all of it */
  commit(): Promise<void>;
  /**
   * Waits until so much was written, or no more comes.
   *
   * @returns false when the time was up or the signal was aborted before
   * @throws what the production failed with
   */
  reached(bytes: number, withinMs: number, signal: AbortSignal): Promise<boolean>;
  /** A reader; the memory of a failed disk is kept for the slowest. */
  openReader(): OutputReader;
  /** Gives back disk and memory; nobody reads or appends any more. */
  close(): Promise<void>;
}

export interface OutputReader {
  /**
   * The next bytes at a position, as soon as there are any; none at the end.
   *
   * @throws what the production failed with; the signal's reason
   */
  read(position: number, mostBytes: number, signal: AbortSignal): Promise<Buffer>;
  close(): void;
}

/** What a broken disk may cost in memory, for each production. */
const MOST_MEMORY_BYTES = 16 * 1024 * 1024;

/** @param openDraft where the bytes are kept; when that fails, or fills up, they stay in memory */
export function createGrowingOutput(openDraft: () => Promise<DerivedDraft>): GrowingOutput {
  const growth = createSignpost();
  // apart: a reader that goes on must not wake all others
  const room = createSignpost();
  const readers = new Set<{ position: number }>();
  const memory = createTail();
  let draft: DerivedDraft | undefined;
  let diskBytes = 0;
  let diskFailure: { readonly error: unknown } | undefined;
  let end: { readonly failure?: Error } | undefined;
  let isClosed = false;

  const writtenBytes = (): number => diskBytes + memory.keptUpTo();

  const keepInMemory = async (chunk: Buffer): Promise<void> => {
    memory.append(chunk);
    growth.tell();
    while (!end) {
      const positions = [...readers].map(({ position }) => position - diskBytes);
      // nobody there yet: who comes for the latest bytes finds them
      memory.shrinkTo(MOST_MEMORY_BYTES, Math.min(...positions));
      if (memory.heldBytes() <= MOST_MEMORY_BYTES) return;
      await room.next();
    }
  };

  const readNow = async (position: number, mostBytes: number): Promise<Buffer> => {
    if (!draft || position >= diskBytes) return memory.read(position - diskBytes, mostBytes);
    const length = Math.min(mostBytes, diskBytes - position);
    const { buffer, bytesRead } = await draft.handle.read(Buffer.allocUnsafe(length), { position });
    if (bytesRead === 0) throw new Error('the file that is being written has shrunk');
    return buffer.subarray(0, bytesRead);
  };

  return {
    get writtenBytes() {
      return writtenBytes();
    },
    get hasBeginning() {
      return memory.keptFrom() === 0;
    },
    get isEnded() {
      return end !== undefined;
    },
    get isWhole() {
      return end !== undefined && !end.failure;
    },
    async append(chunk) {
      if (!diskFailure) {
        try {
          draft ??= await openDraft();
          await draft.append(chunk);
          diskBytes += chunk.length;
          growth.tell();
          return;
        } catch (error) {
          diskFailure = { error }; // whoever commits is told; the listener goes on
        }
      }
      await keepInMemory(chunk);
    },
    end(failure) {
      end ??= failure ? { failure } : {};
      growth.tell();
      room.tell();
    },
    async commit() {
      if (diskFailure) throw diskFailure.error;
      await draft?.commit();
    },
    async reached(bytes, withinMs, signal) {
      const limit = performance.now() + withinMs;
      while (writtenBytes() < bytes && !end && !signal.aborted) {
        const leftMs = limit - performance.now();
        if (leftMs <= 0) break;
        await growth.next(signal, leftMs);
      }
      // a production is ended because its last reader leaves: to them that is no failure
      if (signal.aborted) return false;
      if (end?.failure && writtenBytes() < bytes) throw end.failure;
      return end !== undefined || writtenBytes() >= bytes;
    },
    openReader() {
      const reader = { position: 0 };
      readers.add(reader);
      return {
        async read(position, mostBytes, signal) {
          reader.position = position;
          room.tell();
          while (!end && position >= writtenBytes()) {
            await growth.next(signal);
            signal.throwIfAborted();
          }
          // what was written is gone with the draft: the reason is why it was ended
          if (isClosed && end?.failure) throw end.failure;
          if (position < writtenBytes()) return readNow(position, mostBytes);
          if (end?.failure) throw end.failure;
          return Buffer.alloc(0);
        },
        close() {
          readers.delete(reader);
          room.tell();
        },
      };
    },
    async close() {
      isClosed = true;
      await draft?.discard();
    },
  };
}

/** Something that changes, and those who wait for that. */
interface Signpost {
  tell(): void;
  /** Settles at the next change, when the signal is aborted, or when the time is up. */
  next(signal?: AbortSignal, withinMs?: number): Promise<void>;
}

function createSignpost(): Signpost {
  const waiting = new Set<() => void>();
  return {
    tell() {
      for (const settle of [...waiting]) settle();
    },
    next: (signal, withinMs) =>
      new Promise((resolve) => {
        const settle = (): void => {
          waiting.delete(settle);
          clearTimeout(timer);
          signal?.removeEventListener('abort', settle);
          resolve();
        };
        const timer = withinMs === undefined ? undefined : setTimeout(settle, Math.ceil(withinMs));
        waiting.add(settle);
        signal?.addEventListener('abort', settle, { once: true });
        if (signal?.aborted) settle();
      }),
  };
}

/** Bytes in memory of which the beginning may be dropped; positions count from the first ever. */
interface Tail {
  append(chunk: Buffer): void;
  heldBytes(): number;
  keptFrom(): number;
  keptUpTo(): number;
  /** Drops from the beginning until no more is held, but nothing from the position on. */
  shrinkTo(bytes: number, position: number): void;
  /** @throws RangeError for what was dropped */
  read(position: number, mostBytes: number): Buffer;
}

function createTail(): Tail {
  const chunks: Buffer[] = [];
  let start = 0;
  let held = 0;
  return {
    append(chunk) {
      chunks.push(chunk);
      held += chunk.length;
    },
    heldBytes: () => held,
    keptFrom: () => start,
    keptUpTo: () => start + held,
    shrinkTo(bytes, position) {
      for (
        let first = chunks[0];
        first && held > bytes && start + first.length <= position;
        first = chunks[0]
      ) {
        chunks.shift();
        start += first.length;
        held -= first.length;
      }
    },
    read(position, mostBytes) {
      if (position < start) throw new RangeError('these bytes are not kept any more');
      let at = start;
      for (const chunk of chunks) {
        const offset = position - at;
        if (offset < chunk.length) return chunk.subarray(offset, offset + mostBytes);
        at += chunk.length;
      }
      return Buffer.alloc(0);
    },
  };
}
