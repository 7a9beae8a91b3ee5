import { createReadStream, open, read, type BigIntStats, type ReadStream } from 'node:fs';
import { basename, extname } from 'node:path';
import { lengthOf, type ByteRange } from '../streaming/byte-range';
import { type BytesInMemory, type ReadInto } from '../streaming/representation';
import { type ChunkMemory } from '../streaming/chunk-memory';
import { closeFile, statOpened } from './file-calls';
import { isSameState, type FileState } from './file-state';
import { type OpenedTrack } from './track-store';

export interface LocalFile {
  /** descriptor, open for reading; closed by `close()` of the track alone */
  readonly fd: number;
  readonly path: string;
  readonly stats: BigIntStats;
  /** whether the track is still the file in this state */
  readonly isCurrent: (stats: BigIntStats) => Promise<boolean>;
  readonly memory: ChunkMemory;
  /** where it is remembered */
  readonly state: FileState | undefined;
  readonly openBeside?: NonNullable<OpenedTrack['openBeside']>;
}

/**
 * A file as a track. The descriptor is ours: slices read from it by position and leave it open, so any
 * number of them can follow each other.
 */
export function openLocalTrack(file: LocalFile): OpenedTrack {
  const { fd, path, stats, isCurrent, memory, state, openBeside } = file;
  const reading = new Set<ReadStream>();
  const atOnce = new Set<Promise<BytesInMemory>>();
  let closing: Promise<void> | undefined;

  const closeAll = async (): Promise<void> => {
    // a descriptor closed under a running read would be another file's by the time it is used
    await Promise.allSettled([...[...reading].map((stream) => endReading(stream)), ...atOnce]);
    await closeFile(fd);
  };

  return {
    fileName: basename(path),
    extension: extname(path).slice(1).toLowerCase(),
    sizeBytes: Number(stats.size),
    mtimeNs: stats.mtimeNs,
    descriptor: fd,
    ...(state ? { state } : {}),
    ...(openBeside ? { openBeside } : {}),

    read({ firstPos, lastPos }, signal, into) {
      if (closing) throw new Error('the track is closed');
      const stream = createReadStream(path, {
        fd,
        // one byte: that much memory of its own it takes for each chunk that is read into ours
        ...(into ? { highWaterMark: 1 } : {}),
        fs: { open, read: into ? createReadInto(into, lastPos) : read, close: keepOpen },
        start: firstPos,
        end: lastPos,
        ...(signal ? { signal } : {}),
      });
      reading.add(stream);
      stream.once('close', () => reading.delete(stream));
      return stream;
    },

    readAtOnce(range) {
      if (closing) throw new Error('the track is closed');
      const bytes = readFully(fd, range, memory).finally(() => atOnce.delete(bytes));
      atOnce.add(bytes);
      return bytes;
    },

    isCurrent: () => isCurrent(stats),
    isUnchanged: async () => isSameState(await statOpened(fd), stats),

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
    into().then(
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
