import fc from 'fast-check';
import {
  createCatalogueIndex,
  type IndexedTrack,
} from '../../../../src/services/catalogue/catalogue-index';
import { compareIds, findBehind } from '../../../../src/services/catalogue/compare-ids';

function track(id: string, packed = ''): IndexedTrack {
  return { id, searched: id, packed };
}

function byCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)); // UTF-8 sorts as code points do
}

const id = fc.string({ unit: 'binary', maxLength: 6 });

describe('compareIds()', () => {
  it('orders by code points', () => {
    fc.assert(
      fc.property(id, id, (a, b) => {
        expect(Math.sign(compareIds(a, b))).toBe(byCodePoints(a, b));
      }),
    );
  });

  it.each([
    ['a', 'b'],
    ['a', 'a/'],
    ['Z', 'a'],
    ['\uffee', '\u{1f600}'],
    ['x\ue000', 'x\u{10000}'],
  ])('has %j before %j', (a, b) => {
    expect(compareIds(a, b)).toBeLessThan(0);
    expect(compareIds(b, a)).toBeGreaterThan(0);
    expect(compareIds(a, a)).toBe(0);
  });
});

describe('findBehind()', () => {
  const sorted = ['b', 'd', 'f'].map((each) => track(each));

  it.each([
    ['a', 0],
    ['b', 1],
    ['c', 1],
    ['f', 3],
    ['g', 3],
  ])('is behind %s at %i', (after, index) => {
    expect(findBehind(sorted, after)).toBe(index);
  });
});

describe('createCatalogueIndex()', () => {
  it('is what a sorted map is, whatever comes in which order', () => {
    const step = fc.record({
      id: fc.constantFrom('a', 'b', 'c', 'd', '\uffee', '\u{1f600}'),
      packed: fc.option(fc.string(), { nil: undefined }),
      isRead: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const index = createCatalogueIndex();
        const expected = new Map<string, string>();
        for (const { id: key, packed, isRead } of steps) {
          if (packed === undefined) index.delete(key);
          else index.put(track(key, packed));
          if (packed === undefined) expected.delete(key);
          else expected.set(key, packed);
          if (isRead) index.snapshot();
        }
        const listed = index.snapshot().map((each) => [each.id, each.packed]);
        expect(listed).toEqual([...expected].sort(([a], [b]) => byCodePoints(a, b)));
      }),
    );
  });

  it('never changes a list that it has given out', () => {
    const index = createCatalogueIndex();
    index.put(track('a'));
    const before = index.snapshot();
    expect(index.snapshot()).toBe(before);
    index.put(track('b'));
    index.delete('a');
    expect(before.map((each) => each.id)).toEqual(['a']);
    expect(index.snapshot().map((each) => each.id)).toEqual(['b']);
  });

  it('takes more than it gathers at a time', () => {
    const index = createCatalogueIndex();
    const ids = Array.from({ length: 5_000 }, (_, i) => `t${i}`);
    for (const each of ids) index.put(track(each));
    expect(index.snapshot().map((each) => each.id)).toEqual([...ids].sort());
  });
});
