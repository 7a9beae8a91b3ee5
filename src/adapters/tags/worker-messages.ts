import { type AudioFormat } from '../../services/audio-format';
import { type TrackTags } from './track-tags';

/** From the main thread to a worker. `bytes` and `unreadable` answer the one `read` that is open. */
export type ToWorker =
  | { readonly kind: 'parse'; readonly sizeBytes: number; readonly format: AudioFormat }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'unreadable' };

/** From a worker to the main thread. */
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'read'; readonly position: number; readonly lengthBytes: number }
  | { readonly kind: 'parsed'; readonly tags: TrackTags };
