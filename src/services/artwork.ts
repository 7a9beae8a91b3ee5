import { AppError } from '../errors';
import { type Derive } from './derivation';
import { type DerivationDeps } from './derivation';

/** The picture of a track. */
export function createArtwork(deps: DerivationDeps): Derive {
  return () => Promise.reject(new AppError('ffmpeg_unavailable', String(deps.ffmpeg?.version)));
}
