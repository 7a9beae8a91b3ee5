import { createReadStream, open, read, type BigIntStats, type ReadStream } from 'node:fs';
import { type FileHandle } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { lengthOf, type ByteRange } from '../streaming/byte-range';
import { type OpenedTrack } from './track-store';

/** Whether the track is still the file in this state. */
export type IsCurrent = (stats: BigIntStats) => Promise<boolean>;

/**
 * A file as a track. The handle is ours: slices read from it by position and leave it open, so any
 * number of them can follow each other.
 *
 * @param handle open for reading; closed by `close()` alone
 */
export function openLocalTrack(
  handle: FileHandle,
  path: string,
  stats: BigIntStats,
  isCurrent: IsCurrent,
): OpenedTrack {
  const reading = new Set<ReadStream>();
  const atOnce = new Set<Promise<Uint8Array>>();
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
      const bytes = readFully(handle.fd, range).finally(() => atOnce.delete(bytes));
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
function readFully(fd: number, range: ByteRange): Promise<Uint8Array> {
  // its pages belong to this one answer, and go with it
  const bytes = Buffer.allocUnsafeSlow(lengthOf(range));
  return new Promise((resolve, reject) => {
    const readOn = (filled: number): void => {
      read(fd, bytes, filled, bytes.length - filled, range.firstPos + filled, (error, count) => {
        const total = filled + count;
        if (error) reject(error);
        else if (count === 0 || total === bytes.length) resolve(bytes.subarray(0, total));
        else readOn(total);
      });
    };
    readOn(0);
  });
}
