import fc from 'fast-check';
import { readRequestFields } from '../../../src/streaming/request-fields';

const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT';

describe('readRequestFields()', () => {
  it('finds the six fields that decide an answer, and no others', () => {
    const rawHeaders = [
      ['Host', 'localhost'],
      ['If-Match', '"a"'],
      ['If-None-Match', '"b"'],
      ['If-Modified-Since', DATE],
      ['If-Unmodified-Since', DATE],
      ['If-Range', '"c"'],
      ['Range', 'bytes=0-1'],
      ['Authorization', 'Bearer x'],
    ];
    expect(readRequestFields(rawHeaders.flat())).toEqual({
      ifMatch: '"a"',
      ifNoneMatch: '"b"',
      ifModifiedSince: DATE,
      ifUnmodifiedSince: DATE,
      ifRange: '"c"',
      range: 'bytes=0-1',
    });
  });

  it('knows an absent field from an empty one', () => {
    expect(readRequestFields([])).toEqual({});
    expect(readRequestFields(['Range', ''])).toEqual({ range: '' });
  });

  it.each([
    [['range', 'bytes=0-1'], '§5.1: names are case-insensitive', { range: 'bytes=0-1' }],
    [['RANGE', 'bytes=0-1'], '§5.1: names are case-insensitive', { range: 'bytes=0-1' }],
    [['iF-nOnE-mAtCh', '*'], '§5.1: names are case-insensitive', { ifNoneMatch: '*' }],
    [
      ['If-None-Match', '"a"', 'If-None-Match', '"b"'],
      '§5.3: lines are combined in their order',
      { ifNoneMatch: '"a", "b"' },
    ],
    [
      ['If-Match', '"a"', 'Host', 'x', 'if-match', '"b"', 'IF-MATCH', '"c"'],
      '§5.3: lines are combined in their order',
      { ifMatch: '"a", "b", "c"' },
    ],
    [
      ['If-Modified-Since', DATE, 'If-Modified-Since', DATE],
      '§13.1.3: a list of dates shows itself',
      { ifModifiedSince: `${DATE}, ${DATE}` },
    ],
    [
      ['If-Unmodified-Since', DATE, 'If-Unmodified-Since', DATE],
      '§13.1.4: a list of dates shows itself',
      { ifUnmodifiedSince: `${DATE}, ${DATE}` },
    ],
    [
      ['Range', 'bytes=0-1', 'Range', 'bytes=2-3'],
      '§5.3: two Range lines are one invalid value',
      { range: 'bytes=0-1, bytes=2-3' },
    ],
    [['If-None-Match', '', 'If-None-Match', '"a"'], '§5.3', { ifNoneMatch: ', "a"' }],
    [['Rang', 'bytes=0-1'], '§5.1', {}],
    [['X-Range', 'bytes=0-1'], '§5.1', {}],
    [['Range'], 'a name without a value', { range: '' }],
  ])('reads %j (%s)', (rawHeaders, _paragraph, expected) => {
    expect(readRequestFields(rawHeaders)).toEqual(expected);
  });

  it.each(['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', '__PROTO__'])(
    'takes %s for a name like any other (B18)',
    (name) => {
      const fields = readRequestFields([name, 'x', name, 'y']);
      expect(Object.keys(fields)).toEqual([]);
      expect(Object.getPrototypeOf(fields)).toBe(Object.prototype);
      expect(({} as Record<string, unknown>).x).toBeUndefined();
    },
  );

  it('has an answer for any names and values', () => {
    const name = fc.oneof(fc.string(), fc.constantFrom('range', 'If-Match', '__proto__'));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), (lines) => {
        const known = ['ifMatch', 'ifNoneMatch', 'ifModifiedSince', 'ifUnmodifiedSince'];
        const names = Object.keys(readRequestFields(lines.flat()));
        expect([...known, 'ifRange', 'range']).toEqual(expect.arrayContaining(names));
      }),
    );
  });
});
