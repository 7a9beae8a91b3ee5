import { AppError } from '../errors';
import { type Derive } from './derivation';
import { type DerivationDeps } from './derivation';

/** Playlists and segments of a track. */
export function createHlsPackager(deps: DerivationDeps): Derive {
  return () => Promise.reject(new AppError('ffmpeg_unavailable', String(deps.ffmpeg?.version)));
}
