import { type Readable } from 'node:stream';
import { type ByteRange } from './byte-range';

/** What a response says of the bytes it selects (RFC 9110 §3.2); the bytes come separately. */
export interface Representation {
  readonly lengthBytes: number;
  readonly mediaType: string;
  /** strong, with its quotes */
  readonly entityTag: string;
  /** whole seconds since 1970 */
  readonly lastModifiedSeconds: number;
  readonly contentDisposition: string;
  /** `private, no-cache` where nothing else is said */
  readonly cacheControl?: string;
  /** what else every answer about it says, 304 included */
  readonly furtherFields?: Readonly<Record<string, string>>;
}

/** Bytes of a representation that are in memory. */
export interface BytesInMemory {
  /** in their order; together no more than was asked for */
  readonly pieces: readonly Uint8Array[];
  /** Call when nobody looks at them any more; not to call it costs memory, not correctness. */
  release(): void;
}

/**
 * Memory for the next chunk, when the reader may go on; a source that has memory of its own need not
 * ask. The reader must not be ahead by more than it is given.
 *
 * @param position of the chunk in the representation
 */
export type ReadInto = (position: number) => Promise<Buffer>;

/** Where the bytes come from; fewer than asked for means that they are gone. */
export interface ByteSource {
  read(range: ByteRange, signal?: AbortSignal, into?: ReadInto): Readable;
  /** for ranges that fit one read; absent where a stream costs no more */
  readonly readAtOnce?: (range: ByteRange) => Promise<BytesInMemory>;
  /** what is in memory already, be it long or short; or undefined */
  readNow?(range: ByteRange): BytesInMemory | undefined;
}
