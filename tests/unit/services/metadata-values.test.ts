import {
  formatDuration,
  formatText,
  formatWhole,
  formatYear,
} from '../../../src/services/metadata-values';

describe('formatText()', () => {
  it.each<readonly [string, string | null | undefined, string | null]>([
    ['keeps any script', ' Ünï 曲 🎵 ', 'Ünï 曲 🎵'],
    ['removes NUL and other controls', 'a\0b\x07c\x1b[2Jd\x7f\x9f', 'abc[2Jd'],
    ['makes one line', 'a\r\nb\tc', 'a b c'],
    ['is null when nothing is left', ' \0 ', null],
    ['is null without text', undefined, null],
    ['removes half characters', 'a\ud83cb', 'ab'],
    ['cuts at 1,000', 'x'.repeat(5000), 'x'.repeat(1000)],
    ['cuts no character in half', `${'x'.repeat(999)}🎵`, 'x'.repeat(999)],
  ])('%s', (_, text, expected) => {
    expect(formatText(text)).toBe(expected);
  });
});

describe('formatWhole(), formatYear(), formatDuration()', () => {
  it.each([
    [formatWhole, 3.4, 3],
    [formatWhole, 0, null],
    [formatWhole, -1, null],
    [formatWhole, Number.NaN, null],
    [formatWhole, Number.POSITIVE_INFINITY, null],
    [formatWhole, 1e300, null],
    [formatYear, 1999, 1999],
    [formatYear, 99, null],
    [formatYear, 20_240_101, null],
    [formatDuration, 1.23456, 1.235],
    [formatDuration, 0, 0],
    [formatDuration, -1, null],
    [formatDuration, Number.POSITIVE_INFINITY, null],
  ])('%p of %p is %p', (format, value, expected) => {
    expect(format(value)).toBe(expected);
  });
});
