import { Readable } from 'node:stream';
import { AppError } from '../../src/errors';
import { parseTrackId } from '../../src/storage/track-id';
import { type OpenedTrack, type TrackStore } from '../../src/storage/track-store';

export interface MemoryTrack {
  readonly extension?: string;
  readonly bytes: Buffer;
  readonly mtimeNs?: bigint;
}

/** 2024-03-01T12:00:00.123456789Z */
export const DEFAULT_MTIME_NS = 1_709_294_400_123_456_789n;

/** A library in memory; passes the contract suite of the real one, and counts what is open. */
export class MemoryStore implements TrackStore {
  readonly tracks = new Map<string, MemoryTrack>();
  openCount = 0;
  opened = 0;

  constructor(tracks: Readonly<Record<string, MemoryTrack>> = {}) {
    for (const [id, track] of Object.entries(tracks)) this.tracks.set(id, track);
  }

  open(id: string): Promise<OpenedTrack> {
    const track = parseTrackId(id) ? this.tracks.get(id) : undefined;
    if (!track) return Promise.reject(new AppError('track_not_found', 'There is no such track'));
    const { bytes, extension = 'mp3', mtimeNs = DEFAULT_MTIME_NS } = track;
    this.openCount += 1;
    this.opened += 1;
    let isOpen = true;
    return Promise.resolve({
      fileName: `${id.split('/').at(-1) ?? ''}.${extension}`,
      extension,
      sizeBytes: bytes.length,
      mtimeNs,
      read: ({ firstPos, lastPos }, signal) =>
        Readable.from(slicesOf(bytes.subarray(firstPos, lastPos + 1)), {
          objectMode: false,
          ...(signal ? { signal } : {}),
        }),
      close: () => {
        if (isOpen) this.openCount -= 1;
        isOpen = false;
        return Promise.resolve();
      },
    });
  }
}

function* slicesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
