import { AppError } from '../errors';
import { type Derivation, type DerivationDeps, type Derive } from './derivation';

/** GET of a track in another form. */
export function createTranscoder(deps: DerivationDeps): Derive<Derivation | undefined> {
  return () => Promise.reject(new AppError('ffmpeg_unavailable', String(deps.ffmpeg?.version)));
}
