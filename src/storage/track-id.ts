const MAX_ID_BYTES = 1_024;
/** What file systems take as one name. */
const MAX_SEGMENT_BYTES = 255;
/** Controls would reach logs and fields, a backslash is a separator elsewhere. */
const FORBIDDEN = /[\p{Cc}\\\ufffe\uffff]|\p{Surrogate}/u;

/**
 * Splits a track id into the names of its folders and file, extension not included.
 *
 * @returns undefined for an id that names no track in any library: with an empty segment, one that
 *   starts with a dot (so no `..` and no hidden file), with control characters, or too long
 */
export function parseTrackId(id: string): readonly string[] | undefined {
  if (Buffer.byteLength(id) > MAX_ID_BYTES || FORBIDDEN.test(id)) return undefined;
  const segments = id.split('/');
  const isName = (segment: string): boolean =>
    segment !== '' && !segment.startsWith('.') && Buffer.byteLength(segment) <= MAX_SEGMENT_BYTES;
  return segments.every(isName) ? segments : undefined;
}

/**
 * The spellings under which a name may be stored: as asked for, then composed (most systems), then
 * decomposed (macOS). They look the same and are different bytes.
 */
export function spellingsOf(name: string): readonly string[] {
  return [...new Set([name, name.normalize('NFC'), name.normalize('NFD')])];
}
