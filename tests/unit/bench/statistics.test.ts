import { median, quantile } from '../../../bench/statistics';

describe('quantile()', () => {
  it.each([
    [[3, 1, 2], 0.5, 2],
    [[4, 1, 3, 2], 0.5, 2.5],
    [[10, 20], 0, 10],
    [[10, 20], 1, 20],
    [[7], 0.99, 7],
    [Array.from({ length: 101 }, (_, index) => index), 0.99, 99],
  ])('of %j at %d is %d', (values, q, expected) => {
    expect(quantile(values, q)).toBeCloseTo(expected);
  });

  it('leaves the values in their order', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });

  it('is not a number where there are no values', () => {
    expect(median([])).toBeNaN();
  });
});
