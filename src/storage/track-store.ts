import { type Readable } from 'node:stream';
import { type ByteRange } from '../streaming/byte-range';
import { type BytesInMemory, type ReadInto } from '../streaming/representation';

/** A track that is open: everything said about it comes from one handle, so it cannot change sides. */
export interface OpenedTrack {
  /** name with extension, without folders, as stored */
  readonly fileName: string;
  /** lower case, without the dot */
  readonly extension: string;
  readonly sizeBytes: number;
  /** modification time in nanoseconds since 1970 */
  readonly mtimeNs: bigint;
  /**
   * The same object whenever this very file is opened in this very state: what is learned of its
   * bytes may be remembered with it. Absent where a store cannot tell.
   */
  readonly state?: object;
  /**
   * Bytes of the range, fewer only when the file has shrunk meanwhile.
   *
   * @param range both ends inclusive, within `sizeBytes`
   * @param signal ends the reading early; the stream is then destroyed with an AbortError
   * @param into memory for each chunk, where the reader wants to use it again
   */
  read(range: ByteRange, signal?: AbortSignal, into?: ReadInto): Readable;
  /**
   * The same bytes at once, for ranges that fit one read; absent where a store cannot do that for
   * less than a stream.
   */
  readonly readAtOnce?: (range: ByteRange) => Promise<BytesInMemory>;
  /**
   * Descriptor of the open file, valid until `close()`, for programs that read it by themselves;
   * absent where a store has no files.
   */
  readonly descriptor?: number;
  /**
   * Opens a file in the track's folder; the caller must close it. It is found in any case, and only
   * where a track would be: inside the library. Absent where a store has no folders.
   *
   * @param names in lower case, the most wanted first
   * @returns undefined when there is none that could be read
   */
  readonly openBeside?: (names: readonly string[]) => Promise<OpenedTrack | undefined>;
  /** What of them is in memory already, or undefined. */
  readNow?(range: ByteRange): BytesInMemory | undefined;
  /**
   * Whether opening the id again would lead to this very file in this very state; never fails.
   * Absent where a store cannot tell for less than opening costs: its tracks are not kept.
   */
  readonly isCurrent?: () => Promise<boolean>;
  /** Whether the open file is still in the state in which it was opened. */
  readonly isUnchanged?: () => Promise<boolean>;
  /** Whoever opened closes; safe to call twice. Reads still running are ended first. */
  close(): Promise<void>;
}

/** Bytes by key: the one seam between the service and where its library is kept. */
export interface TrackStore {
  /**
   * Opens the track once; the caller must close it.
   *
   * @param id path below the library without extension, as it came from the client
   * @throws AppError `track_not_found` for any id that names no track, well formed or not;
   *   `library_unavailable` when the library itself is missing; `track_unavailable` when the
   *   track exists and cannot be read now
   */
  open(id: string): Promise<OpenedTrack>;
}
