import { AppError } from '../errors';
import { type Derive } from './derivation';
import { type DerivationDeps } from './derivation';

/** The loudness of a track. */
export function createLoudness(deps: DerivationDeps): Derive {
  return () => Promise.reject(new AppError('ffmpeg_unavailable', String(deps.ffmpeg?.version)));
}
