import { type AudioFormat } from '../../services/audio-format';
import { type TrackTags } from './track-tags';

/** Bytes in a buffer of their own. */
export type EmbeddedPicture = Uint8Array<ArrayBuffer>;

/** What a track can be parsed for. */
export interface Result {
  readonly tags: TrackTags;
  /** undefined where there is none */
  readonly picture: EmbeddedPicture | undefined;
}

export type Wanted = keyof Result;

/** From the main thread to a worker. `bytes` and `unreadable` answer the one `read` that is open. */
export type ToWorker =
  | {
      readonly kind: 'parse';
      readonly wanted: Wanted;
      readonly sizeBytes: number;
      readonly format: AudioFormat;
    }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'unreadable' };

/** From a worker to the main thread; `parsed` holds what was wanted. */
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'read'; readonly position: number; readonly lengthBytes: number }
  | ({ readonly kind: 'parsed' } & Partial<Result>);
