import fc from 'fast-check';
import { resolveRange } from '../../../src/streaming/byte-range';

describe('resolveRange()', () => {
  it('says the same of a plain range as of one that goes the general way', () => {
    const position = fc.oneof(fc.nat(30), fc.nat(), fc.stringMatching(/^\d{1,20}$/));
    fc.assert(
      fc.property(position, position, fc.nat(40), (first, last, completeLength) => {
        const plain = resolveRange(`bytes=${first}-${last}`, completeLength);
        // an empty member changes nothing, and is not plain
        expect(plain).toEqual(resolveRange(`bytes=${first}-${last},`, completeLength));
      }),
      { numRuns: 2_000 },
    );
  });
});
