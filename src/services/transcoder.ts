import { type Derivation, type DerivationDeps, type Derive } from './derivation';

/** GET of a track in another form. */
export function createTranscoder(deps: DerivationDeps): Derive<Derivation | undefined> {
  return () => Promise.resolve(deps.ffmpeg ? undefined : undefined);
}
