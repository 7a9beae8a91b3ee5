import { hash } from 'node:crypto';
import { type SelectedTrack } from './track-source';

/**
 * Names what is made of a track, as the key of a production and, in quotes, as its entity tag: the
 * same name, the same bytes.
 *
 * @param kind letters and digits, with a number that rises when the output of the same input changes
 * @param causes whatever else decides about the bytes: parameters, the version of the program
 */
export function nameOutput(
  kind: string,
  { id, entityTag }: Pick<SelectedTrack, 'id' | 'entityTag'>,
  causes: readonly (string | number | null | undefined)[],
): string {
  const digest = hash('sha256', JSON.stringify([id, entityTag, ...causes]), 'base64url');
  // 128 bits, as in redis-keys.ts
  return `${kind}-${digest.slice(0, 22)}`;
}
