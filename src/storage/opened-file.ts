import { createReadStream, open, read, type ReadStream } from 'node:fs';
import { lengthOf, type ByteRange } from '../streaming/byte-range';
import { type ChunkMemory } from '../streaming/chunk-memory';
import { type ByteSource, type BytesInMemory, type ReadInto } from '../streaming/representation';

/** The bytes of an open file. */
export interface OpenedFile extends Required<Pick<ByteSource, 'read' | 'readAtOnce'>> {
  /** Safe to call twice. Reads still running are ended first. */
  close(): Promise<void>;
}

export interface OpenedFileOptions {
  /** open for reading, and ours: nobody else closes it */
  readonly fd: number;
  /** that small ranges are read into */
  readonly memory: ChunkMemory;
  readonly closeFd: () => Promise<void>;
}

/**
 * Slices of a file by position. They leave the descriptor open, so any number of them can follow each
 * other.
 */
export function createOpenedFile({ fd, memory, closeFd }: OpenedFileOptions): OpenedFile {
  const reading = new Set<ReadStream>();
  const atOnce = new Set<Promise<BytesInMemory>>();
  let closing: Promise<void> | undefined;

  const closeAll = async (): Promise<void> => {
    // a descriptor closed under a running read would be another file's by the time it is used
    await Promise.allSettled([...[...reading].map((stream) => endReading(stream)), ...atOnce]);
    await closeFd();
  };

  return {
    read({ firstPos, lastPos }, signal, into) {
      if (closing) throw new Error('the file is closed');
      const stream = createReadStream('', {
        fd,
        // one byte: that much memory of its own it takes for each chunk that is read into ours
        ...(into ? { highWaterMark: 1 } : {}),
        fs: { open, read: into ? createReadInto(into, lastPos) : read, close: keepOpen },
        start: firstPos,
        end: lastPos,
      });
      const abort = (): void => {
        stream.destroy(signal?.reason as Error);
      };
      reading.add(stream);
      stream.once('close', () => {
        reading.delete(stream);
        signal?.removeEventListener('abort', abort);
      });
      if (signal?.aborted) abort();
      else signal?.addEventListener('abort', abort, { once: true });
      return stream;
    },

    readAtOnce(range) {
      if (closing) throw new Error('the file is closed');
      const bytes = readFully(fd, range, memory).finally(() => atOnce.delete(bytes));
      atOnce.add(bytes);
      return bytes;
    },

    close() {
      closing ??= closeAll();
      return closing;
    },
  };
}

type ReadDone = (error: Error | null, bytesRead: number, buffer: Buffer) => void;

/** What a stream reads with: into memory that is used again, and as much of it as there is. */
function createReadInto(into: ReadInto, lastPos: number) {
  return (
    fd: number,
    own: Buffer,
    _offset: number,
    _length: number,
    position: number,
    done: ReadDone,
  ): void => {
    into(position).then(
      (buffer) => {
        const length = Math.min(buffer.length, lastPos - position + 1);
        read(fd, buffer, 0, length, position, (error, bytesRead) => {
          done(error, bytesRead, buffer.subarray(0, bytesRead));
        });
      },
      (error: unknown) => {
        done(error as Error, 0, own);
      },
    );
  };
}

function keepOpen(_fd: number, done: (error?: Error | null) => void): void {
  done();
}

/** Resolves when no read of the stream is under way any more. */
function endReading(stream: ReadStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve);
    stream.once('error', () => undefined);
    stream.destroy();
  });
}

/** Past FileHandle and its promises: small ranges come by the thousand. */
function readFully(fd: number, range: ByteRange, memory: ChunkMemory): Promise<BytesInMemory> {
  const wanted = lengthOf(range);
  const buffer = memory.take(wanted);
  return new Promise((resolve, reject) => {
    const readOn = (filled: number): void => {
      read(fd, buffer, filled, wanted - filled, range.firstPos + filled, (error, count) => {
        const total = filled + count;
        if (error) {
          memory.giveBack(buffer);
          reject(error);
        } else if (count > 0 && total < wanted) {
          readOn(total);
        } else {
          resolve({
            pieces: [buffer.subarray(0, total)],
            release() {
              memory.giveBack(buffer);
            },
          });
        }
      });
    };
    readOn(0);
  });
}
