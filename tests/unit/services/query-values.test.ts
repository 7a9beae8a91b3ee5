import { AppError } from '../../../src/errors';
import { readChoice, readWhole } from '../../../src/services/query-values';

const whole = (query: string): number | undefined =>
  readWhole(new URLSearchParams(query), 'points', 16, 20_000);
const choice = (query: string): string | undefined =>
  readChoice(new URLSearchParams(query), 'bits', ['8', '16']);

describe('readWhole()', () => {
  it.each([
    ['', undefined],
    ['other=1', undefined],
    ['points=16', 16],
    ['points=020', 20],
    ['points=20000', 20_000],
  ])('reads %j', (query, value) => {
    expect(whole(query)).toBe(value);
  });

  it.each(['15', '20001', '', '-16', '+16', '16.5', '1e3', ' 16', '0x20', 'NaN', '9'.repeat(400)])(
    'names what is allowed for %j',
    (value) => {
      expect(() => whole(`points=${encodeURIComponent(value)}`)).toThrow(
        new AppError('bad_request', 'points must be a whole number from 16 to 20000'),
      );
    },
  );

  it('refuses two values, even the same', () => {
    expect(() => whole('points=16&points=16')).toThrow('points may be given only once');
  });
});

describe('readChoice()', () => {
  it.each([
    ['', undefined],
    ['bits=8', '8'],
    ['bits=16', '16'],
  ])('reads %j', (query, value) => {
    expect(choice(query)).toBe(value);
  });

  it.each(['', '24', '08', 'toString'])('names what is allowed for %j', (value) => {
    expect(() => choice(`bits=${value}`)).toThrow(
      new AppError('bad_request', 'bits must be one of: 8, 16'),
    );
  });

  it('refuses two values', () => {
    expect(() => choice('bits=8&bits=16')).toThrow('bits may be given only once');
  });
});
