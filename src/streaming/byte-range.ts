/** Positions of the first and the last byte, both inclusive (RFC 9110 §14.1.2). */
export interface ByteRange {
  readonly firstPos: number;
  readonly lastPos: number;
}

/** What a `Range` field comes to: all bytes, these bytes in this order, or none that exist. */
export type RangeOutcome =
  | { readonly kind: 'whole' }
  | { readonly kind: 'ranges'; readonly ranges: readonly ByteRange[] }
  | { readonly kind: 'unsatisfiable' };

/** Ranges nearer than this cost less sent as one: about what a part's own fields take. */
const COALESCING_GAP_BYTES = 80;
/** More parts than this after coalescing are no player's request (CVE-2011-3192). */
const MAX_RANGES = 16;

const WHOLE: RangeOutcome = { kind: 'whole' };
/** What players send; too short for a number that is not exact. All else goes the general way. */
const PLAIN_RANGE = /^bytes=(\d{1,15})-(\d{1,15})$/;
const UNIT = /^bytes=/i;
const INT_RANGE = /^(\d+)-(\d*)$/;
const SUFFIX_RANGE = /^-(\d+)$/;

/**
 * Decides which bytes a `Range` field asks for.
 *
 * A field we cannot use (other unit, bad syntax) is ignored rather than refused: a client that
 * receives the whole track still plays it. Several ranges are coalesced where they overlap or
 * nearly touch; a set that asks for more bytes than there are, or is left with more than 16
 * ranges, gets the whole. So does any range of nothing: no position exists that could be named.
 *
 * @param field value of `Range`; undefined when absent
 * @param completeLength bytes in the selected representation; an integer, 0 or more
 * @returns `unsatisfiable` only when the syntax is right and none of those bytes exist
 * @throws never: a client's mistake is an outcome here, not an exception
 * @see RFC 9110 §14.1.1 (grammar), §14.1.2 (clamping), §14.2 (when to ignore)
 */
export function resolveRange(field: string | undefined, completeLength: number): RangeOutcome {
  if (field === undefined || completeLength === 0) return WHOLE;
  const plain = PLAIN_RANGE.exec(field);
  if (plain) {
    const [, first, last] = plain;
    const range = { firstPos: Number(first), lastPos: Math.min(Number(last), completeLength - 1) };
    if (range.firstPos <= range.lastPos) return { kind: 'ranges', ranges: [range] };
  }
  const unit = UNIT.exec(field);
  if (!unit) return WHOLE;

  const specs = parseRangeSet(field.slice(unit[0].length));
  if (!specs) return WHOLE;

  const satisfiable = specs
    .map((spec) => clamp(spec, completeLength))
    .filter((range) => range !== undefined);
  if (satisfiable.length === 0) return { kind: 'unsatisfiable' };
  if (satisfiable.length === 1) return { kind: 'ranges', ranges: satisfiable };

  const wantedBytes = satisfiable.reduce((sum, range) => sum + lengthOf(range), 0);
  if (wantedBytes > completeLength) return WHOLE;
  const ranges = coalesce(satisfiable);
  return ranges.length > MAX_RANGES ? WHOLE : { kind: 'ranges', ranges };
}

/** Bytes in the range. */
export function lengthOf({ firstPos, lastPos }: ByteRange): number {
  return lastPos - firstPos + 1;
}

type RangeSpec =
  { readonly firstPos: number; readonly lastPos: number } | { readonly suffixLength: number };

/** Undefined when any member is invalid or there is none: then the whole field is. */
function parseRangeSet(rangeSet: string): RangeSpec[] | undefined {
  const specs: RangeSpec[] = [];
  const members = rangeSet.split(',');
  for (const [index, member] of members.entries()) {
    // white space belongs to the commas, so there is none before the first member
    const text = trimWhiteSpace(member, index > 0);
    if (text === '') continue;
    const spec = parseRangeSpec(text);
    if (!spec) return undefined;
    specs.push(spec);
  }
  return specs.length > 0 ? specs : undefined;
}

/** Not by a regular expression: one that looks for the end tries from every blank. */
function trimWhiteSpace(text: string, isLeadingAllowed: boolean): string {
  const isBlank = (at: number): boolean => text[at] === ' ' || text[at] === '\t';
  let start = 0;
  let end = text.length;
  while (isLeadingAllowed && start < end && isBlank(start)) start += 1;
  while (end > start && isBlank(end - 1)) end -= 1;
  return text.slice(start, end);
}

function parseRangeSpec(text: string): RangeSpec | undefined {
  const int = INT_RANGE.exec(text);
  if (int) {
    const [, first = '', last = ''] = int;
    if (last === '') return { firstPos: parsePosition(first), lastPos: Number.MAX_SAFE_INTEGER };
    if (isGreater(first, last)) return undefined;
    return { firstPos: parsePosition(first), lastPos: parsePosition(last) };
  }
  const suffix = SUFFIX_RANGE.exec(text);
  return suffix ? { suffixLength: parsePosition(suffix[1] ?? '') } : undefined;
}

/** Undefined when the spec names no byte that exists. */
function clamp(spec: RangeSpec, completeLength: number): ByteRange | undefined {
  const lastByte = completeLength - 1;
  if ('suffixLength' in spec) {
    if (spec.suffixLength === 0) return undefined;
    return { firstPos: Math.max(0, completeLength - spec.suffixLength), lastPos: lastByte };
  }
  if (spec.firstPos > lastByte) return undefined;
  return { firstPos: spec.firstPos, lastPos: Math.min(spec.lastPos, lastByte) };
}

/** Digits of any length; beyond what a file can have all numbers are alike. */
function parsePosition(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

/** Compares digit strings of any length exactly, where numbers would have lost digits. */
function isGreater(a: string, b: string): boolean {
  if (a.length < 16 && b.length < 16) return Number(a) > Number(b);
  return BigInt(a) > BigInt(b);
}

/**
 * Merges what overlaps or nearly touches; what is left keeps the order in which it was asked for
 * (RFC 9110 §15.3.7.2).
 */
function coalesce(ranges: readonly ByteRange[]): ByteRange[] {
  const byPosition = ranges
    .map((range, order) => ({ ...range, order }))
    .sort((a, b) => a.firstPos - b.firstPos);

  const merged: { firstPos: number; lastPos: number; order: number }[] = [];
  for (const range of byPosition) {
    const previous = merged.at(-1);
    if (previous && range.firstPos - previous.lastPos - 1 < COALESCING_GAP_BYTES) {
      previous.lastPos = Math.max(previous.lastPos, range.lastPos);
      previous.order = Math.min(previous.order, range.order);
    } else {
      merged.push(range);
    }
  }
  return merged
    .sort((a, b) => a.order - b.order)
    .map(({ firstPos, lastPos }) => ({ firstPos, lastPos }));
}
