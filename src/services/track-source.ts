import { type OpenedTrack } from '../storage/track-store';
import { type AudioFormat } from './audio-format';

/** An open track together with what its bytes and validators say. */
export interface SelectedTrack {
  readonly id: string;
  /** by the bytes, else by the extension */
  readonly format: AudioFormat;
  /** strong, with its quotes; the same replicas with copies of a library agree on */
  readonly entityTag: string;
  readonly track: OpenedTrack;
}
