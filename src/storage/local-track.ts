import { createReadStream, open, read, type BigIntStats, type ReadStream } from 'node:fs';
import { type FileHandle } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { type OpenedTrack } from './track-store';

/**
 * A file as a track. The handle is ours: slices read from it by position and leave it open, so any
 * number of them can follow each other.
 *
 * @param handle open for reading; closed by `close()` alone
 */
export function openLocalTrack(handle: FileHandle, path: string, stats: BigIntStats): OpenedTrack {
  const reading = new Set<ReadStream>();
  let closing: Promise<void> | undefined;

  const closeAll = async (): Promise<void> => {
    // a descriptor closed under a running read would be another file's by the time it is used
    await Promise.all([...reading].map((stream) => endReading(stream)));
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
