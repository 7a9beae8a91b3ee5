import { type IndexedTrack } from '../../../../src/services/catalogue/catalogue-index';
import { createCatalogueSearch } from '../../../../src/services/catalogue/catalogue-search';

function track(id: string, searched: string): IndexedTrack {
  return { id, searched, packed: '' };
}

const tracks = [track('1', 'one\nalpha'), track('2', 'two\nalpha'), track('3', 'three\nbeta')];

async function find(words: readonly string[]): Promise<string[]> {
  const found = await createCatalogueSearch().find(tracks, words);
  return found.map(({ id }) => id);
}

describe('createCatalogueSearch()', () => {
  it.each([
    [['alpha'], ['1', '2']],
    [['two', 'alpha'], ['2']],
    [['two', 'beta'], []],
    [['lph'], ['1', '2']],
    // no word reaches from one field into the next
    [['oalpha'], []],
  ])('finds %j in any field', async (words, ids) => {
    expect(await find(words)).toEqual(ids);
  });

  it('remembers what it found while the list is the same', async () => {
    const search = createCatalogueSearch();
    const first = await search.find(tracks, ['alpha']);
    expect(await search.find(tracks, ['alpha'])).toBe(first);
    const other = [...tracks, track('4', 'alpha')];
    expect(await search.find(other, ['alpha'])).toHaveLength(3);
  });

  it('lets others in while it looks through many', async () => {
    const search = createCatalogueSearch();
    let turns = 0;
    const count = setInterval(() => (turns += 1), 0);
    const many = Array.from({ length: 2_000 }, (_, i) => track(`${i}`, ''));
    let blockedUntil = 0;
    await search.filter(many, () => {
      // as if each took long: a millisecond for 32 of them
      blockedUntil = performance.now() + 1 / 32;
      while (performance.now() < blockedUntil);
      return true;
    });
    clearInterval(count);
    expect(turns).toBeGreaterThan(1);
  });

  it('refuses when too many wait, and goes on when they are done', async () => {
    const search = createCatalogueSearch();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 120 }, (_, i) => search.find(tracks, [`word${i}`])),
    );
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(20);
    expect(refused[0]).toMatchObject({ reason: { code: 'overloaded' } });
    expect(await search.find(tracks, ['alpha'])).toHaveLength(2);
  });

  it('goes on after a filter that failed', async () => {
    const search = createCatalogueSearch();
    const failing = search.filter(tracks, () => {
      throw new Error('broken');
    });
    await expect(failing).rejects.toThrow('broken');
    expect(await search.find(tracks, ['alpha'])).toHaveLength(2);
  });
});
