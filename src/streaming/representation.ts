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
}

/** Where the bytes come from; fewer than asked for means that they are gone. */
export interface ByteSource {
  read(range: ByteRange, signal?: AbortSignal): Readable;
  /** for ranges that fit one read; absent where a stream costs no more */
  readonly readAtOnce?: (range: ByteRange) => Promise<Uint8Array>;
}
