import fc from 'fast-check';
import { formatHttpDate, parseHttpDate } from '../../../src/streaming/http-date';

const NOW = Date.UTC(2024, 2, 1, 12, 0, 0);
const EXAMPLE_SECONDS = Date.UTC(1994, 10, 6, 8, 49, 37) / 1000;

function utcSeconds(...parts: [number, number, number, number?, number?, number?]): number {
  return Date.UTC(...parts) / 1000;
}

describe('parseHttpDate()', () => {
  it.each([
    ['Sun, 06 Nov 1994 08:49:37 GMT', '§5.6.7: IMF-fixdate', EXAMPLE_SECONDS],
    ['Sunday, 06-Nov-94 08:49:37 GMT', '§5.6.7: rfc850-date', EXAMPLE_SECONDS],
    ['Sun Nov  6 08:49:37 1994', '§5.6.7: asctime-date', EXAMPLE_SECONDS],
    ['Wed Nov 16 08:49:37 1994', '§5.6.7: asctime-date', EXAMPLE_SECONDS + 10 * 86_400],
    ['Wed Nov 06 08:49:37 1994', '§5.6.7: asctime day is 2DIGIT too', EXAMPLE_SECONDS],
    ['Thu, 01 Jan 1970 00:00:00 GMT', '§5.6.7', 0],
    ['Wed, 31 Dec 1969 23:59:59 GMT', '§5.6.7', -1],
    ['Thu, 29 Feb 2024 00:00:00 GMT', '§5.6.7: leap day', utcSeconds(2024, 1, 29)],
    ['Tue, 29 Feb 2000 00:00:00 GMT', '§5.6.7: leap day', utcSeconds(2000, 1, 29)],
    ['Fri, 31 Dec 9999 23:59:59 GMT', '§5.6.7', utcSeconds(9999, 11, 31, 23, 59, 59)],
    ['Sat, 31 Dec 2016 23:59:60 GMT', '§5.6.7: a leap second', utcSeconds(2017, 0, 1)],
    ['Tue, 19 Jan 2038 03:14:08 GMT', '§5.6.7: beyond 2^31 seconds', 2 ** 31],
    // rfc850 at 2024-03-01T12:00:00Z
    ['Friday, 01-Mar-24 12:00:00 GMT', '§5.6.7: this year', NOW / 1000],
    ['Saturday, 31-Dec-99 00:00:00 GMT', '§5.6.7: 2099 is too far', utcSeconds(1999, 11, 31)],
    ['Friday, 31-Dec-73 00:00:00 GMT', '§5.6.7: 50 years at most', utcSeconds(2073, 11, 31)],
    ['Monday, 01-Jan-74 00:00:00 GMT', '§5.6.7: not yet 50 years', utcSeconds(2074, 0, 1)],
    ['Thursday, 01-Mar-74 12:00:00 GMT', '§5.6.7: 50 years, no more', utcSeconds(2074, 2, 1, 12)],
    [
      'Friday, 01-Mar-74 12:00:01 GMT',
      '§5.6.7: more than 50 years by a second',
      utcSeconds(1974, 2, 1, 12, 0, 1),
    ],
    ['Tuesday, 31-Dec-74 00:00:00 GMT', '§5.6.7: more than 50 years', utcSeconds(1974, 11, 31)],
    ['Tuesday, 01-Jan-75 00:00:00 GMT', '§5.6.7: more than 50 years', utcSeconds(1975, 0, 1)],
    ['Thursday, 01-Jan-70 00:00:00 GMT', '§5.6.7: 2070', utcSeconds(2070, 0, 1)],
  ])('reads %j (%s)', (field, _paragraph, expected) => {
    expect(parseHttpDate(field, NOW)).toBe(expected);
  });

  it.each([
    ['', '§5.6.7'],
    ['0', '§5.6.7'],
    ['garbage', '§5.6.7'],
    ['1994-11-06T08:49:37Z', '§5.6.7: ISO 8601 is no HTTP-date'],
    ['784111777', '§5.6.7: nor is a number'],
    ['Sun, 06 Nov 1994 08:49:37', '§5.6.7: no GMT'],
    ['Sun, 06 Nov 1994 08:49:37 UTC', '§5.6.7: GMT is the only zone'],
    ['Sun, 06 Nov 1994 08:49:37 gmt', '§5.6.7: case-sensitive'],
    ['sun, 06 Nov 1994 08:49:37 GMT', '§5.6.7: case-sensitive'],
    ['Sun, 06 nov 1994 08:49:37 GMT', '§5.6.7: case-sensitive'],
    ['Sun, 06 NOV 1994 08:49:37 GMT', '§5.6.7: case-sensitive'],
    ['Sun, 06 Nov 1994 08:49:37 +0000', '§5.6.7: GMT is the only zone'],
    ['Sun, 06 Nov 1994 10:49:37 CEST', '§5.6.7: GMT is the only zone'],
    ['Sun, 6 Nov 1994 08:49:37 GMT', '§5.6.7: day is 2DIGIT'],
    ['Sun,  6 Nov 1994 08:49:37 GMT', '§5.6.7: day is 2DIGIT'],
    ['Sun, 06 Nov 94 08:49:37 GMT', '§5.6.7: year is 4DIGIT'],
    ['Sun, 06 Nov 19940 08:49:37 GMT', '§5.6.7: year is 4DIGIT'],
    ['Sun, 06 Nov 1994 8:49:37 GMT', '§5.6.7: hour is 2DIGIT'],
    ['Sun, 06 Nov 1994 08:49 GMT', '§5.6.7: seconds are needed'],
    ['Sun, 06 Nov 1994 08:49:37.5 GMT', '§5.6.7: whole seconds'],
    ['Sun, 06 Nov 1994 24:00:00 GMT', '§5.6.7: hours end at 23'],
    ['Sun, 06 Nov 1994 08:60:00 GMT', '§5.6.7: minutes end at 59'],
    ['Sun, 06 Nov 1994 08:49:61 GMT', '§5.6.7: seconds end at 60'],
    ['Sun, 00 Nov 1994 08:49:37 GMT', '§5.6.7: no such day'],
    ['Thu, 31 Nov 1994 08:49:37 GMT', '§5.6.7: no such day'],
    ['Thu, 32 Dec 1994 08:49:37 GMT', '§5.6.7: no such day'],
    ['Wed, 29 Feb 2023 08:49:37 GMT', '§5.6.7: no such day'],
    ['Wed, 29 Feb 1900 08:49:37 GMT', '§5.6.7: no such day'],
    ['Sun, 06 Foo 1994 08:49:37 GMT', '§5.6.7: no such month'],
    ['Xyz, 06 Nov 1994 08:49:37 GMT', '§5.6.7: no such day name'],
    ['Sunday, 06 Nov 1994 08:49:37 GMT', '§5.6.7: long name, short form'],
    ['Sun, 06-Nov-94 08:49:37 GMT', '§5.6.7: short name, long form'],
    ['Sunday, 06-Nov-1994 08:49:37 GMT', '§5.6.7: rfc850 year is 2DIGIT'],
    ['Sun Nov 6 08:49:37 1994', '§5.6.7: asctime pads the day'],
    ['Sun Nov  6 08:49:37 94', '§5.6.7: asctime year is 4DIGIT'],
    ['Sun Nov  6 08:49:37 1994 GMT', '§5.6.7: asctime has no zone'],
    ['Sun  Nov  6 08:49:37 1994', '§5.6.7'],
    [' Sun, 06 Nov 1994 08:49:37 GMT', '§5.5: white space is not part of a value'],
    ['Sun, 06 Nov 1994 08:49:37 GMT\n', '§5.5'],
    ['Sun,\t06 Nov 1994 08:49:37 GMT', '§5.6.7: SP'],
    ['"Sun, 06 Nov 1994 08:49:37 GMT"', '§5.6.7: no quotes'],
    ['Sun, 06 Nov 1994 08:49:37 GMT; length=5', '§13.1.3: no parameters'],
    [
      'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT',
      '§13.1.3: more than one member',
    ],
    ['Sun, 06 Nov -994 08:49:37 GMT', '§5.6.7'],
    ['Sun, \u0660\u0666 Nov 1994 08:49:37 GMT', '§5.6.7: DIGIT is ASCII'],
  ])('refuses %j (%s)', (field) => {
    expect(parseHttpDate(field, NOW)).toBeUndefined();
  });

  it('decides the century of two digits by the clock it is given', () => {
    const field = 'Sunday, 06-Nov-94 08:49:37 GMT';
    expect(parseHttpDate(field, Date.UTC(1995, 0, 1))).toBe(EXAMPLE_SECONDS);
    expect(parseHttpDate(field, Date.UTC(2043, 0, 1))).toBe(EXAMPLE_SECONDS);
    expect(parseHttpDate(field, Date.UTC(2045, 0, 1))).toBe(utcSeconds(2094, 10, 6, 8, 49, 37));
  });

  it('reads back what formatHttpDate() writes, for every second of a 4-digit year', () => {
    const seconds = fc.integer({ min: utcSeconds(1000, 0, 1), max: utcSeconds(9999, 11, 31) });
    fc.assert(
      fc.property(seconds, (at) => {
        expect(parseHttpDate(formatHttpDate(at), NOW)).toBe(at);
      }),
    );
  });

  it('has an answer for any string', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (field) => {
        expect(parseHttpDate(field, NOW)).toBeUndefined();
      }),
    );
  });
});

describe('formatHttpDate()', () => {
  it.each([
    [EXAMPLE_SECONDS, 'Sun, 06 Nov 1994 08:49:37 GMT'],
    [0, 'Thu, 01 Jan 1970 00:00:00 GMT'],
    [-1, 'Wed, 31 Dec 1969 23:59:59 GMT'],
    [2 ** 31, 'Tue, 19 Jan 2038 03:14:08 GMT'],
  ])('writes %d as an IMF-fixdate (§5.6.7)', (seconds, expected) => {
    expect(formatHttpDate(seconds)).toBe(expected);
  });
});
