import { LRUCache } from 'lru-cache';
import { AppError } from '../../errors';
import { createBreather } from './breather';
import { type IndexedTrack } from './catalogue-index';

export type Tracks = readonly IndexedTrack[];

export interface CatalogueSearch {
  /**
   * The tracks with all words in what is searched of them, in the order of the list.
   *
   * @param words folded
   * @throws AppError `overloaded` when too many searches wait
   */
  find(tracks: Tracks, words: readonly string[]): Promise<Tracks>;
  /** Those that pass, with pauses for others; not remembered. */
  filter(tracks: Tracks, passes: (track: IndexedTrack) => boolean): Promise<Tracks>;
}

/** A listener pages through one or two; each takes up to 0.8 MB of 100,000 tracks. */
const MOST_REMEMBERED = 16;
/** At some 15 ms each for 100,000 tracks, the last waits for a second and a half. */
const MOST_WAITING = 100;
const STEPS_BETWEEN_LOOKS = 256;

/** One search at a time, in slices: several at once would hold the event loop together. */
export function createCatalogueSearch(): CatalogueSearch {
  const remembered = new LRUCache<string, Promise<Tracks>>({ max: MOST_REMEMBERED });
  let rememberedOf: Tracks | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  const filter: CatalogueSearch['filter'] = (tracks, passes) => {
    if (waiting >= MOST_WAITING) {
      throw new AppError('overloaded', 'Too many searches at once; try again in a moment');
    }
    waiting += 1;
    const result = last.then(() => filterInSlices(tracks, passes));
    last = result.catch(() => undefined).finally(() => (waiting -= 1));
    return result;
  };

  return {
    async find(tracks, words) {
      if (tracks !== rememberedOf) remembered.clear();
      rememberedOf = tracks;
      const key = words.join('\n');
      const known = remembered.get(key);
      if (known) return known;
      const finding = filter(tracks, ({ searched }) =>
        words.every((word) => searched.includes(word)),
      );
      remembered.set(key, finding);
      return finding;
    },
    // async, so that an overload is a rejection here as well
    // eslint-disable-next-line @typescript-eslint/require-await
    filter: async (tracks, passes) => filter(tracks, passes),
  };
}

async function filterInSlices(
  tracks: Tracks,
  passes: (track: IndexedTrack) => boolean,
): Promise<Tracks> {
  const breathe = createBreather();
  const passed: IndexedTrack[] = [];
  for (const [i, track] of tracks.entries()) {
    if (passes(track)) passed.push(track);
    if (i % STEPS_BETWEEN_LOOKS === 0) await breathe();
  }
  return passed;
}
