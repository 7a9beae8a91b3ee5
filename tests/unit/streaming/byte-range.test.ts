import fc from 'fast-check';
import { lengthOf, resolveRange, type RangeOutcome } from '../../../src/streaming/byte-range';
import { runBounded } from '../../support/bounded-time';

const GAP_BYTES = 80;
const MAX_RANGES = 16;

const BILLIONS = '9'.repeat(30);
const TWO_POW_53 = '9007199254740992';
const TWO_POW_53_PLUS_1 = '9007199254740993';
const TWO_POW_63 = '9223372036854775808';
const TWO_POW_64 = '18446744073709551616';

/** `whole`, `unsatisfiable`, or the ranges as they would stand in a field. */
function notationOf(outcome: RangeOutcome): string {
  if (outcome.kind !== 'ranges') return outcome.kind;
  return outcome.ranges.map(({ firstPos, lastPos }) => `${firstPos}-${lastPos}`).join(',');
}

/** `count` ranges of one byte, too far apart to be coalesced. */
function scattered(count: number): string {
  return Array.from({ length: count }, (_, i) => `${i * 100}-${i * 100}`).join(',');
}

describe('lengthOf()', () => {
  it.each([
    [{ firstPos: 0, lastPos: 0 }, 1],
    [{ firstPos: 5, lastPos: 9 }, 5],
    [{ firstPos: 0, lastPos: 5_000_000_000 }, 5_000_000_001],
  ])('counts both ends of %j', (range, expected) => {
    expect(lengthOf(range)).toBe(expected);
  });
});

describe('resolveRange()', () => {
  it('sends the whole when there is no field', () => {
    expect(resolveRange(undefined, 1000)).toEqual({ kind: 'whole' });
  });

  describe('one range of 1000 bytes', () => {
    it.each([
      // int-range
      ['bytes=0-0', '§14.1.2', '0-0'],
      ['bytes=0-1', '§14.1.2', '0-1'],
      ['bytes=0-499', '§14.1.2', '0-499'],
      ['bytes=500-999', '§14.1.2', '500-999'],
      ['bytes=999-999', '§14.1.2', '999-999'],
      ['bytes=0-', '§14.1.2: last-pos absent is the remainder', '0-999'],
      ['bytes=9-', '§14.1.2: last-pos absent is the remainder', '9-999'],
      ['bytes=999-', '§14.1.2: last-pos absent is the remainder', '999-999'],
      ['bytes=0-999', '§14.1.2', '0-999'],
      ['bytes=0-1000', '§14.1.2: last-pos beyond the end is the last byte', '0-999'],
      ['bytes=5-1000', '§14.1.2: last-pos beyond the end is the last byte', '5-999'],
      ['bytes=999-1000', '§14.1.2: last-pos beyond the end is the last byte', '999-999'],
      ['bytes=00-001', '§14.1.1: 1*DIGIT, leading zeros are digits', '0-1'],
      ['bytes=0000000000000000000000000000000005-0009', '§14.1.1: 1*DIGIT', '5-9'],
      // suffix-range
      ['bytes=-1', '§14.1.2: suffix', '999-999'],
      ['bytes=-5', '§14.1.2: suffix', '995-999'],
      ['bytes=-999', '§14.1.2: suffix', '1-999'],
      ['bytes=-1000', '§14.1.2: suffix', '0-999'],
      ['bytes=-1001', '§14.1.2: a suffix longer than it is all of it', '0-999'],
      ['bytes=-2000', '§14.1.2: a suffix longer than it is all of it', '0-999'],
      ['bytes=-0005', '§14.1.1: 1*DIGIT', '995-999'],
      // unsatisfiable
      ['bytes=1000-', '§14.1.2: first-pos beyond the end', 'unsatisfiable'],
      ['bytes=1000-1000', '§14.1.2: first-pos beyond the end', 'unsatisfiable'],
      ['bytes=1000-2000', '§14.1.2: first-pos beyond the end', 'unsatisfiable'],
      ['bytes=99999-', '§14.1.2: first-pos beyond the end', 'unsatisfiable'],
      ['bytes=-0', '§14.1.2: a suffix of nothing', 'unsatisfiable'],
      ['bytes=-000', '§14.1.2: a suffix of nothing', 'unsatisfiable'],
      // the unit
      ['BYTES=0-1', '§14.1: range units are case-insensitive', '0-1'],
      ['Bytes=0-1', '§14.1: range units are case-insensitive', '0-1'],
      ['bYtEs=-5', '§14.1: range units are case-insensitive', '995-999'],
      // lists with empty members
      ['bytes=,0-1', '§5.6.1.2: empty list members are ignored', '0-1'],
      ['bytes=0-1,', '§5.6.1.2: empty list members are ignored', '0-1'],
      ['bytes=,,,0-1,,,', '§5.6.1.2: empty list members are ignored', '0-1'],
      ['bytes= ,0-1', '§5.6.1.2: white space belongs to the comma', '0-1'],
      ['bytes=,\t0-1', '§5.6.1.2: white space belongs to the comma', '0-1'],
      ['bytes=0-1 \t, ,\t', '§5.6.1.2: white space belongs to the comma', '0-1'],
      ['bytes=, ,-5', '§5.6.1.2: empty list members are ignored', '995-999'],
      ['bytes=,1000-', '§5.6.1.2: empty list members are ignored', 'unsatisfiable'],
    ])('%j (%s) is %s', (field, _paragraph, expected) => {
      expect(notationOf(resolveRange(field, 1000))).toBe(expected);
    });
  });

  describe('numbers of any length in 1000 bytes', () => {
    it.each([
      [`bytes=0-${TWO_POW_53}`, '§14.1.2: clamped', '0-999'],
      [`bytes=0-${TWO_POW_53_PLUS_1}`, '§14.1.2: clamped', '0-999'],
      [`bytes=0-${TWO_POW_63}`, '§14.1.2: clamped', '0-999'],
      [`bytes=0-${TWO_POW_64}`, '§14.1.2: clamped', '0-999'],
      [`bytes=0-${BILLIONS}`, '§14.1.2: clamped', '0-999'],
      [`bytes=0-${'9'.repeat(400)}`, '§14.1.2: clamped, beyond what a double holds', '0-999'],
      [`bytes=${TWO_POW_53}-`, '§17.15: no overflow', 'unsatisfiable'],
      [`bytes=${TWO_POW_53_PLUS_1}-`, '§17.15: no overflow', 'unsatisfiable'],
      [`bytes=${TWO_POW_63}-`, '§17.15: no overflow', 'unsatisfiable'],
      [`bytes=${TWO_POW_64}-`, '§17.15: no overflow, 2^64 is not 0', 'unsatisfiable'],
      ['bytes=18446744073709551617-', '§17.15: 2^64 + 1 is not 1', 'unsatisfiable'],
      ['bytes=4294967296-4294967297', '§17.15: 2^32 is not 0', 'unsatisfiable'],
      [`bytes=${BILLIONS}-${BILLIONS}`, '§17.15: no overflow', 'unsatisfiable'],
      [`bytes=${'9'.repeat(400)}-`, '§17.15: no overflow', 'unsatisfiable'],
      [`bytes=-${TWO_POW_53}`, '§14.1.2: longer than it', '0-999'],
      [`bytes=-${TWO_POW_63}`, '§14.1.2: longer than it', '0-999'],
      [`bytes=-${TWO_POW_64}`, '§14.1.2: longer than it', '0-999'],
      [`bytes=-${BILLIONS}`, '§14.1.2: longer than it', '0-999'],
      [`bytes=-${'9'.repeat(400)}`, '§14.1.2: longer than it', '0-999'],
      [`bytes=${'0'.repeat(400)}5-${'0'.repeat(400)}9`, '§14.1.1: leading zeros', '5-9'],
      ['bytes=-17208,-9223372036854758792', '§17.15: the set of CVE-2017-7529', 'whole'],
      // invalid: last-pos less than first-pos, told apart beyond the precision of a double
      [`bytes=${TWO_POW_53_PLUS_1}-${TWO_POW_53}`, '§14.1.1: last < first', 'whole'],
      [`bytes=${TWO_POW_53}-${TWO_POW_53_PLUS_1}`, '§14.1.2: last > first', 'unsatisfiable'],
      [`bytes=${TWO_POW_64}-${TWO_POW_63}`, '§14.1.1: last < first', 'whole'],
      [`bytes=1${BILLIONS}-${BILLIONS}`, '§14.1.1: last < first', 'whole'],
      [`bytes=${BILLIONS}2-${BILLIONS}1`, '§14.1.1: last < first in the last digit', 'whole'],
      [`bytes=${BILLIONS}1-${BILLIONS}2`, '§14.1.2: last > first', 'unsatisfiable'],
      [`bytes=${TWO_POW_64}-5`, '§14.1.1: last < first', 'whole'],
      [`bytes=0000000000000000000009-0000000000000000000001`, '§14.1.1: last < first', 'whole'],
      [`bytes=9-0000000000000000000010`, '§14.1.2', '9-10'],
    ])('%j (%s) is %s', (field, _paragraph, expected) => {
      expect(notationOf(resolveRange(field, 1000))).toBe(expected);
    });
  });

  describe('what is no valid bytes range', () => {
    it.each([
      ['', '§14.2: no unit'],
      ['bytes', '§14.1.1: ranges-specifier needs ="'],
      ['bytes=', '§14.1.1: 1#range-spec needs a member'],
      ['bytes=,', '§14.1.1: 1#range-spec needs a member'],
      ['bytes= , \t,', '§14.1.1: 1#range-spec needs a member'],
      ['bytes:0-1', '§14.1.1: ="'],
      ['bytes 0-1', '§14.1.1: ="'],
      ['bytes =0-1', '§14.1.1: no white space around ="'],
      ['bytes= 0-1', '§14.1.1: no white space around ="'],
      ['bytes=\t0-1', '§14.1.1: no white space around ="'],
      [' bytes=0-1', '§14.1.1: no white space before the unit'],
      ['bytes==0-1', '§14.1.1'],
      ['0-1', '§14.1.1: no unit'],
      ['=0-1', '§14.1: a unit is a token'],
      ['items=0-1', '§14.2: an unknown unit is ignored'],
      ['byte=0-1', '§14.2: an unknown unit is ignored'],
      ['bytess=0-1', '§14.2: an unknown unit is ignored'],
      ['xbytes=0-1', '§14.2: an unknown unit is ignored'],
      ['none=0-1', '§14.2: an unknown unit is ignored'],
      ['seconds=1-2', '§14.2: an unknown unit is ignored'],
      ['\u017fytes=0-1', '§14.1: token is ASCII'],
      ['bytes=5-2', '§14.1.1: last-pos less than first-pos'],
      ['bytes=1-0', '§14.1.1: last-pos less than first-pos'],
      ['bytes=2000-1999', '§14.1.1: last-pos less than first-pos, beyond the end too'],
      ['bytes=-', '§14.1.1: suffix-length is 1*DIGIT'],
      ['bytes=--1', '§14.1.1: DIGIT has no sign'],
      ['bytes=--', '§14.1.1'],
      ['bytes=-1-', '§14.1.1'],
      ['bytes=-1-2', '§14.1.1'],
      ['bytes=0--1', '§14.1.1: DIGIT has no sign'],
      ['bytes=+0-1', '§14.1.1: DIGIT has no sign'],
      ['bytes=+0', '§14.1.1: DIGIT has no sign'],
      ['bytes=0-+1', '§14.1.1: DIGIT has no sign'],
      ['bytes=-+1', '§14.1.1: DIGIT has no sign'],
      ['bytes=1e2-', '§14.1.1: DIGIT only'],
      ['bytes=1e2-2e2', '§14.1.1: DIGIT only'],
      ['bytes=-1e2', '§14.1.1: DIGIT only'],
      ['bytes=0x10-', '§14.1.1: DIGIT only'],
      ['bytes=0x10-0x20', '§14.1.1: DIGIT only'],
      ['bytes=-0x10', '§14.1.1: DIGIT only'],
      ['bytes=0.5-1', '§14.1.1: DIGIT only'],
      ['bytes=0-0.5', '§14.1.1: DIGIT only'],
      ['bytes=-0.5', '§14.1.1: DIGIT only'],
      ['bytes=0_0-1', '§14.1.1: DIGIT only'],
      ['bytes=\u0660-\u0661', '§14.1.1: DIGIT is ASCII'],
      ['bytes=\uff10-\uff11', '§14.1.1: DIGIT is ASCII'],
      ['bytes=0', '§14.1.1: no hyphen'],
      ['bytes=500', '§14.1.1: no hyphen'],
      ['bytes=0\u20131', '§14.1.1: an en dash is no hyphen'],
      ['bytes=\u22121', '§14.1.1: a minus sign is no hyphen'],
      ['bytes=0 - 1', '§14.1.1: no white space inside'],
      ['bytes=0 -1', '§14.1.1: no white space inside'],
      ['bytes=0- 1', '§14.1.1: no white space inside'],
      ['bytes=- 5', '§14.1.1: no white space inside'],
      ['bytes=0 1-2', '§14.1.1: no white space inside'],
      ['bytes=0-1 2-3', '§14.1.1: members are set apart by commas'],
      ['bytes=0-1;2-3', '§14.1.1: members are set apart by commas'],
      ['bytes=0-1\n,2-3', '§5.6.3: OWS is SP and HTAB'],
      ['bytes=0-1,\u00a02-3', '§5.6.3: OWS is SP and HTAB'],
      ['bytes=\u000b,0-1', '§5.6.3: OWS is SP and HTAB'],
      ['bytes=0-1\n', '§14.1.1'],
      ['bytes=0-1\u0000', '§14.1.1'],
      ['bytes=a-b', '§14.1.1'],
      ['bytes=abc', '§14.1.1'],
      ['bytes=*', '§14.1.1'],
      ['bytes=0-*', '§14.1.1'],
      ['bytes=NaN-', '§14.1.1'],
      ['bytes=Infinity-', '§14.1.1'],
      ['bytes=0-1/1000', '§14.1.1: that is Content-Range'],
      ['bytes=0-1,abc', '§14.1.1: one invalid member spoils the set'],
      ['bytes=abc,0-1', '§14.1.1: one invalid member spoils the set'],
      ['bytes=0-1,5-2', '§14.1.1: one invalid member spoils the set'],
      ['bytes=0-1,-', '§14.1.1: one invalid member spoils the set'],
      ['bytes=1000-,x', '§14.1.1: one invalid member spoils the set'],
      ['bytes=0-1, bytes=2-3', '§5.3: two field lines, which Range does not allow'],
      ['bytes=0-1,bytes=2-3', '§14.1.1'],
    ])('%j (%s) is ignored', (field) => {
      expect(notationOf(resolveRange(field, 1000))).toBe('whole');
    });
  });

  describe('several ranges of 10,000 bytes', () => {
    it.each([
      ['bytes=0-0,5000-5000', '§14.1.2: both', '0-0,5000-5000'],
      ['bytes=0-0,-1', '§14.1.2: first and last byte', '0-0,9999-9999'],
      ['bytes=0-0 , -1', '§5.6.1: OWS around the comma', '0-0,9999-9999'],
      ['bytes=0-0\t,\t-1', '§5.6.1: OWS around the comma', '0-0,9999-9999'],
      ['bytes=0-0,,-1', '§5.6.1.2: empty members', '0-0,9999-9999'],
      ['bytes=5000-5099,0-99', '§15.3.7.2: the order asked for', '5000-5099,0-99'],
      ['bytes=-1,0-0', '§15.3.7.2: the order asked for', '9999-9999,0-0'],
      [
        'bytes=9000-9009,3000-3009,6000-6009',
        '§15.3.7.2: the order asked for',
        '9000-9009,3000-3009,6000-6009',
      ],
      // those that do not exist fall away
      ['bytes=0-0,10000-', '§14.1.2: satisfiable when one is', '0-0'],
      ['bytes=10000-,0-0', '§14.1.2: satisfiable when one is', '0-0'],
      ['bytes=-0,0-0', '§14.1.2: satisfiable when one is', '0-0'],
      [`bytes=0-0,${TWO_POW_64}-`, '§14.1.2: satisfiable when one is', '0-0'],
      ['bytes=0-0,20000-,5000-5000', '§14.1.2', '0-0,5000-5000'],
      ['bytes=10000-,20000-', '§14.1.2: none is', 'unsatisfiable'],
      ['bytes=10000-,-0', '§14.1.2: none is', 'unsatisfiable'],
      ['bytes=-0,-0', '§14.1.2: none is', 'unsatisfiable'],
      // coalescing
      ['bytes=0-9,10-19', '§15.3.7.2: touching', '0-19'],
      ['bytes=0-9,5-19', '§15.3.7.2: overlapping', '0-19'],
      ['bytes=0-99,10-19', '§15.3.7.2: one inside the other', '0-99'],
      ['bytes=10-19,0-99', '§15.3.7.2: one inside the other', '0-99'],
      ['bytes=0-0,0-0', '§15.3.7.2: the same twice', '0-0'],
      ['bytes=10-19,0-9', '§15.3.7.2: touching, backwards', '0-19'],
      ['bytes=0-9,89-99', '§15.3.7.2: 79 bytes between', '0-99'],
      ['bytes=0-9,90-99', '§15.3.7.2: 80 bytes between', '0-9,90-99'],
      ['bytes=90-99,0-9', '§15.3.7.2: 80 bytes between', '90-99,0-9'],
      ['bytes=0-9,80-89,160-169', '§15.3.7.2: one after the other', '0-169'],
      ['bytes=0-4999,10-19,4990-5099', '§15.3.7.2: a long one behind a short one', '0-5099'],
      [
        'bytes=5000-5009,0-9,5010-5019',
        '§15.3.7.2: merged, in the place of the earliest',
        '5000-5019,0-9',
      ],
      [
        'bytes=5010-5019,0-9,5000-5009',
        '§15.3.7.2: merged, in the place of the earliest',
        '5000-5019,0-9',
      ],
      ['bytes=0-9,5000-5009,10-19', '§15.3.7.2', '0-19,5000-5009'],
      // limits
      [`bytes=${scattered(16)}`, '§14.2: 16 are served', scattered(16)],
      [`bytes=${scattered(17)}`, '§14.2: 17 are not', 'whole'],
      [`bytes=${scattered(65)}`, '§14.2: many small ranges may be ignored', 'whole'],
      [
        `bytes=${scattered(16)},50-50,150-150,250-250`,
        '§14.2: 16 are left after coalescing',
        `0-300,${scattered(16).split(',').slice(4).join(',')}`,
      ],
      [`bytes=${'0-0,'.repeat(3000)}`, '§14.2: 3,000 of one byte', '0-0'],
      // wasteful sets
      ['bytes=0-,0-', '§14.2: more than the whole', 'whole'],
      ['bytes=0-,1-,2-,3-,4-', '§14.2: more than the whole', 'whole'],
      ['bytes=0-,-1', '§14.2: more than the whole', 'whole'],
      ['bytes=0-4999,5000-9999', '§14.2: exactly the whole', '0-9999'],
      ['bytes=0-5000,5000-9999', '§14.2: one byte more than the whole', 'whole'],
      ['bytes=0-,10000-', '§14.2: one of them does not exist', '0-9999'],
      [`bytes=0-${BILLIONS},0-${BILLIONS}`, '§14.2: more than the whole', 'whole'],
    ])('%j (%s) is %s', (field, _paragraph, expected) => {
      expect(notationOf(resolveRange(field, 10_000))).toBe(expected);
    });
  });

  describe('representations of other lengths', () => {
    it.each([
      // no content-range can name a byte of nothing (§14.4: last-pos is at least first-pos)
      ['bytes=0-', 0, '§14.4: nothing to name', 'whole'],
      ['bytes=0-0', 0, '§14.4: nothing to name', 'whole'],
      ['bytes=1-', 0, '§14.4: nothing to name', 'whole'],
      ['bytes=-5', 0, '§14.1.2: a non-zero suffix is satisfiable', 'whole'],
      ['bytes=-0', 0, '§14.4: nothing to name', 'whole'],
      ['bytes=0-0,-1', 0, '§14.4: nothing to name', 'whole'],
      ['bytes=x', 0, '§14.2: ignored', 'whole'],
      ['bytes=0-', 1, '§14.1.2', '0-0'],
      ['bytes=0-0', 1, '§14.1.2', '0-0'],
      ['bytes=-1', 1, '§14.1.2', '0-0'],
      ['bytes=1-', 1, '§14.1.2', 'unsatisfiable'],
      [
        'bytes=4294967295-4294967296',
        4_294_967_297,
        '§14.1.2: over 4 GiB',
        '4294967295-4294967296',
      ],
      ['bytes=5000000000-', 5_000_000_001, '§14.1.2: over 4 GiB', '5000000000-5000000000'],
      ['bytes=-1', 5_000_000_001, '§14.1.2: over 4 GiB', '5000000000-5000000000'],
      ['bytes=5000000001-', 5_000_000_001, '§14.1.2: over 4 GiB', 'unsatisfiable'],
      [
        'bytes=9007199254740990-9007199254740991',
        Number.MAX_SAFE_INTEGER,
        '§14.1.2: as long as numbers are exact',
        '9007199254740990-9007199254740990',
      ],
    ])('%j of %d bytes (%s) is %s', (field, completeLength, _paragraph, expected) => {
      expect(notationOf(resolveRange(field, completeLength))).toBe(expected);
    });
  });

  describe('time', () => {
    const size = 400_000;
    it.each([
      ['white space inside a member', `bytes=0-1${' '.repeat(size)}x`],
      ['white space inside a later member', `bytes=0-1,0-1${'\t'.repeat(size)}x`],
      ['white space in front of a member', `bytes=0-1,${' '.repeat(size)}x`],
      ['empty members', `bytes=${','.repeat(size)}x`],
      ['empty members with white space', `bytes=${' ,'.repeat(size / 2)}x`],
      ['one long number', `bytes=${'9'.repeat(size)}x`],
      ['long numbers', `bytes=${'9'.repeat(size / 2)}-${'9'.repeat(size / 2)}`],
      ['one-byte ranges', `bytes=${'0-0,'.repeat(size / 4)}`],
      ['hyphens', `bytes=${'-'.repeat(size)}`],
      ['equals signs', '='.repeat(size)],
    ])('grows with the length of the field, no faster: %s', (_what, field) => {
      expect(() => runBounded(() => resolveRange(field, 1_000_000))).not.toThrow();
    });
  });

  describe('against an oracle that lists positions', () => {
    const unit = fc.constantFrom('bytes=', 'Bytes=', 'BYTES=', 'bytes=', 'bytes=', 'items=', '');
    const position = fc.oneof(
      { weight: 12, arbitrary: fc.nat(700).map(String) },
      { weight: 1, arbitrary: fc.nat(40).map((n) => n.toString().padStart(20, '0')) },
      { weight: 1, arbitrary: fc.bigInt(0n, 10n ** 30n).map(String) },
      { weight: 1, arbitrary: fc.constantFrom(TWO_POW_53, TWO_POW_63, TWO_POW_64) },
    );
    const forward = fc
      .tuple(fc.nat(700), fc.nat(60))
      .map(([first, more]) => `${first}-${first + more}`);
    const valid = fc.oneof(
      { weight: 10, arbitrary: forward },
      { weight: 2, arbitrary: position.map((first) => `${first}-`) },
      { weight: 2, arbitrary: position.map((length) => `-${length}`) },
    );
    const member = fc.oneof(
      { weight: 60, arbitrary: valid },
      { weight: 4, arbitrary: fc.constant('') },
      { weight: 1, arbitrary: fc.tuple(position, position).map(([a, b]) => `${a}-${b}`) },
      { weight: 1, arbitrary: fc.constantFrom('-', '--1', '+0-1', '1e2-', 'x', '0 - 1') },
    );
    const separator = fc.constantFrom(',', ',', ',', ', ', ' ,', '\t,\t');
    const rangeSet = fc
      .array(fc.tuple(member, separator), { minLength: 1, maxLength: 24 })
      .map((pairs) => pairs.flat().slice(0, -1).join(''));
    const structured = fc.tuple(unit, rangeSet).map((parts) => parts.join(''));
    const almost = fc.string({
      unit: fc.constantFrom(...'0123456789-,- \t=bytesBYTES'.split('')),
      maxLength: 40,
    });
    const field = fc.oneof(
      { weight: 8, arbitrary: structured },
      { weight: 2, arbitrary: almost.map((text) => `bytes=${text}`) },
      { weight: 1, arbitrary: almost },
    );
    const completeLength = fc.oneof(fc.nat(20), fc.nat(700), fc.constant(2_000));

    it('decides the same for any field', () => {
      fc.assert(
        fc.property(field, completeLength, (text, length) => {
          expect(notationOf(resolveRange(text, length))).toBe(oracle(text, length));
        }),
        { numRuns: 1_500 },
      );
    });

    it('sends all that is wanted, little more, nothing beyond the end, and no byte twice', () => {
      fc.assert(
        fc.property(rangeSet, fc.integer({ min: 1, max: 2_000 }), (set, length) => {
          const outcome = resolveRange(`bytes=${set}`, length);
          if (outcome.kind !== 'ranges') return;
          const wanted = wantedPositions(set, length) ?? new Set();
          const sent = outcome.ranges.flatMap(({ firstPos, lastPos }) =>
            Array.from({ length: lastPos - firstPos + 1 }, (_, i) => firstPos + i),
          );
          const sentOnce = new Set(sent);

          expect(sentOnce.size).toBe(sent.length);
          expect(sent.every((pos) => Number.isInteger(pos) && pos >= 0 && pos < length)).toBe(true);
          expect([...wanted].filter((pos) => !sentOnce.has(pos))).toEqual([]);
          expect(outcome.ranges.length).toBeLessThanOrEqual(MAX_RANGES);
          let gap = 0;
          for (const pos of sent) {
            gap = wanted.has(pos) ? 0 : gap + 1;
            expect(gap).toBeLessThan(GAP_BYTES);
          }
          for (const { firstPos, lastPos } of outcome.ranges) {
            expect(wanted.has(firstPos) && wanted.has(lastPos)).toBe(true);
          }
        }),
        { numRuns: 500 },
      );
    });

    it('has an answer for any string', () => {
      const anything = fc.oneof(
        fc.string({ unit: 'binary', maxLength: 200 }),
        fc.string({ unit: 'binary', maxLength: 200 }).map((text) => `bytes=${text}`),
      );
      fc.assert(
        fc.property(anything, fc.maxSafeNat(), (text, length) => {
          expect(['whole', 'ranges', 'unsatisfiable']).toContain(resolveRange(text, length).kind);
        }),
        { numRuns: 2_000 },
      );
    });
  });
});

/**
 * The same decision by the plainest means: members are read digit by digit and asked about each
 * position in turn.
 */
function oracle(field: string, completeLength: number): string {
  if (completeLength === 0 || field.slice(0, 6).toLowerCase() !== 'bytes=') return 'whole';
  const members = membersOf(field.slice(6));
  if (!members) return 'whole';

  const positions = members
    .map((member) => positionsOf(member, completeLength))
    .filter((set) => set.length > 0);
  if (positions.length === 0) return 'unsatisfiable';
  const askedBytes = positions.reduce((sum, set) => sum + set.length, 0);
  if (positions.length > 1 && askedBytes > completeLength) return 'whole';

  const wanted = new Set(positions.flat());
  const runs: { first: number; last: number }[] = [];
  for (let pos = 0; pos < completeLength; pos += 1) {
    if (!wanted.has(pos)) continue;
    const run = runs.at(-1);
    if (run && pos - run.last <= GAP_BYTES) run.last = pos;
    else runs.push({ first: pos, last: pos });
  }
  if (runs.length > MAX_RANGES) return 'whole';

  const orderOf = (run: { first: number; last: number }): number =>
    positions.findIndex(([pos = -1]) => pos >= run.first && pos <= run.last);
  return runs
    .sort((a, b) => orderOf(a) - orderOf(b))
    .map(({ first, last }) => `${first}-${last}`)
    .join(',');
}

function wantedPositions(rangeSet: string, completeLength: number): Set<number> | undefined {
  const members = membersOf(rangeSet);
  return members && new Set(members.flatMap((member) => positionsOf(member, completeLength)));
}

interface OracleMember {
  readonly first?: bigint;
  readonly last?: bigint;
  readonly suffix?: bigint;
}

function membersOf(rangeSet: string): OracleMember[] | undefined {
  const members: OracleMember[] = [];
  for (const [index, raw] of rangeSet.split(',').entries()) {
    const isBlank = raw.split('').every((char) => char === ' ' || char === '\t');
    if (isBlank) continue;
    if (index === 0 && (raw.startsWith(' ') || raw.startsWith('\t'))) return undefined;
    const member = memberOf(stripBlanks(raw));
    if (!member) return undefined;
    members.push(member);
  }
  return members.length > 0 ? members : undefined;
}

function memberOf(text: string): OracleMember | undefined {
  const parts = text.split('-');
  const [first = '', last = ''] = parts;
  if (parts.length !== 2 || (first === '' && last === '')) return undefined;
  if (!`${first}${last}`.split('').every((char) => '0123456789'.includes(char))) return undefined;
  if (first === '') return { suffix: BigInt(last) };
  if (last === '') return { first: BigInt(first) };
  return BigInt(first) <= BigInt(last) ? { first: BigInt(first), last: BigInt(last) } : undefined;
}

function positionsOf({ first, last, suffix }: OracleMember, completeLength: number): number[] {
  return Array.from({ length: completeLength }, (_, pos) => pos).filter((pos) => {
    if (suffix !== undefined) return BigInt(completeLength - pos) <= suffix;
    return BigInt(pos) >= (first ?? 0n) && (last === undefined || BigInt(pos) <= last);
  });
}

function stripBlanks(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && ' \t'.includes(text.charAt(from))) from += 1;
  while (to > from && ' \t'.includes(text.charAt(to - 1))) to -= 1;
  return text.slice(from, to);
}
