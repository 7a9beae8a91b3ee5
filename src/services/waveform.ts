import { AppError } from '../errors';
import { type Derive } from './derivation';
import { type DerivationDeps } from './derivation';

/** The waveform of a track. */
export function createWaveform(deps: DerivationDeps): Derive {
  return () => Promise.reject(new AppError('ffmpeg_unavailable', String(deps.ffmpeg?.version)));
}
