import { AppError } from '../errors';
import { type Derive, type DerivationDeps } from './derivation';
import { type SelectedTrack } from './track-source';

export interface Loudness {
  readonly integratedLufs: number | null;
  readonly truePeakDbtp: number | null;
}

export interface LoudnessMeter {
  measure(selected: SelectedTrack, subject: string): Promise<Loudness>;
}

/** The loudness of a track. */
export function createLoudness(deps: DerivationDeps): Derive & LoudnessMeter {
  const fail = () =>
    Promise.reject(new AppError('ffmpeg_unavailable', String(deps.ffmpeg?.version)));
  return Object.assign(fail, { measure: fail });
}
