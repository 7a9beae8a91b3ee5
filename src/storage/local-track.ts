import { createReadStream, open, read, type BigIntStats, type ReadStream } from 'node:fs';
import { type FileHandle } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { lengthOf, type ByteRange } from '../streaming/byte-range';
import { type BytesInMemory } from '../streaming/representation';
import { type ReadBuffers } from './read-buffers';
import { type OpenedTrack } from './track-store';

export interface LocalFile {
  /** open for reading; closed by `close()` of the track alone */
  readonly handle: FileHandle;
  readonly path: string;
  readonly stats: BigIntStats;
  /** whether the track is still the file in this state */
  readonly isCurrent: (stats: BigIntStats) => Promise<boolean>;
  readonly buffers: ReadBuffers;
}

/**
 * A file as a track. The handle is ours: slices read from it by position and leave it open, so any
 * number of them can follow each other.
 */
export function openLocalTrack({
  handle,
  path,
  stats,
  isCurrent,
  buffers,
}: LocalFile): OpenedTrack {
  const reading = new Set<ReadStream>();
  const atOnce = new Set<Promise<BytesInMemory>>();
  let closing: Promise<void> | undefined;

  const closeAll = async (): Promise<void> => {
    // a descriptor closed under a running read would be another file's by the time it is used
    await Promise.allSettled([...[...reading].map((stream) => endReading(stream)), ...atOnce]);
    await handle.close();
  };

  return {
    fileName: basename(path),
    extension: extname(path).slice(1).toLowerCase(),
    sizeBytes: Number(stats.size),
    mtimeNs: stats.mtimeNs,

    read({ firstPos, lastPos }, signal) {
      if (closing) throw new Error('the track is closed');
      const stream = createReadStream(path, {
        fd: handle.fd,
        fs: { open, read, close: keepOpen },
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
      const bytes = readFully(handle.fd, range, buffers).finally(() => atOnce.delete(bytes));
      atOnce.add(bytes);
      return bytes;
    },

    isCurrent: () => isCurrent(stats),

    close() {
      closing ??= closeAll();
      return closing;
    },
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
function readFully(fd: number, range: ByteRange, buffers: ReadBuffers): Promise<BytesInMemory> {
  const wanted = lengthOf(range);
  const buffer = buffers.take(wanted);
  return new Promise((resolve, reject) => {
    const readOn = (filled: number): void => {
      read(fd, buffer, filled, wanted - filled, range.firstPos + filled, (error, count) => {
        const total = filled + count;
        if (error) {
          buffers.giveBack(buffer);
          reject(error);
        } else if (count > 0 && total < wanted) {
          readOn(total);
        } else {
          resolve({
            pieces: [buffer.subarray(0, total)],
            release() {
              buffers.giveBack(buffer);
            },
          });
        }
      });
    };
    readOn(0);
  });
}
