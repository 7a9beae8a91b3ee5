/** The request fields that decide which answer a representation gets. */
export interface RequestFields {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
  readonly ifModifiedSince?: string;
  readonly ifUnmodifiedSince?: string;
  readonly ifRange?: string;
  readonly range?: string;
}

/**
 * How many lines a field came on; Node keeps one of them and does not tell.
 *
 * @param name in lower case
 */
export function countFieldLines(rawHeaders: readonly string[], name: string): number {
  let lines = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const text = rawHeaders[i];
    if (text?.length === name.length && text.toLowerCase() === name) lines += 1;
  }
  return lines;
}

const NAMES = new Map<string, keyof RequestFields>([
  ['if-match', 'ifMatch'],
  ['if-none-match', 'ifNoneMatch'],
  ['if-modified-since', 'ifModifiedSince'],
  ['if-unmodified-since', 'ifUnmodifiedSince'],
  ['if-range', 'ifRange'],
  ['range', 'range'],
]);
/** Most names are none of these by their length: only the others are put into lower case. */
const LENGTHS = new Set([...NAMES.keys()].map((name) => name.length));

/**
 * Combines the lines of each field into one value (RFC 9110 §5.3).
 *
 * Not taken from `req.headers`: Node keeps only the first of several `If-Modified-Since` lines,
 * and a field with more than one date must be ignored (§13.1.3).
 *
 * @param rawHeaders names and values in turn, as Node hands them over
 */
export function readRequestFields(rawHeaders: readonly string[]): RequestFields {
  const fields: { -readonly [name in keyof RequestFields]: string } = {};
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const text = rawHeaders[i] ?? '';
    const name = LENGTHS.has(text.length) ? NAMES.get(text.toLowerCase()) : undefined;
    if (!name) continue;
    const value = rawHeaders[i + 1] ?? '';
    const earlier = fields[name];
    fields[name] = earlier === undefined ? value : `${earlier}, ${value}`;
  }
  return fields;
}
