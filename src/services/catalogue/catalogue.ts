import { z } from 'zod';
import { AppError } from '../../errors';
import { type TrackMetadata } from '../metadata-service';
import { formatCursor } from './catalogue-cursor';
import { type CatalogueIndex } from './catalogue-index';
import { createCatalogueSearch } from './catalogue-search';
import { findBehind } from './compare-ids';
import { foldWords } from './fold-text';
import { type LibraryScan, type ScanState } from './library-scan';
import { listedTrackSchema, unpackMetadata } from './packed-metadata';

/** What the API answers about the library. */
export const cataloguePageSchema = z
  .strictObject({
    tracks: z.array(listedTrackSchema).readonly(),
    /** of the next page; null on the last */
    nextCursor: z.string().nullable(),
    /** all that match, on all pages */
    total: z.int().min(0),
    /** false during the first scan: more will match */
    complete: z.boolean(),
  })
  .readonly();

export interface CataloguePage {
  readonly tracks: readonly TrackMetadata[];
  readonly nextCursor: string | null;
  readonly total: number;
  readonly complete: boolean;
}

export interface CatalogueQuery {
  /** words that must all be found, in title, artist, album or file name */
  readonly search: string;
  /** the page begins behind this id, whether it is there or not */
  readonly afterId: string | undefined;
  /** tracks on the page at most */
  readonly limit: number;
  /** undefined: all of them */
  readonly mayOpen: ((trackId: string) => boolean) | undefined;
}

/** The tracks of the library, in memory. */
export interface Catalogue {
  /** Begins the first scan; the list can be asked for meanwhile. */
  start(): void;
  /**
   * One page of the list, sorted by id in code points.
   *
   * @throws AppError `library_unavailable` while the library has never been seen; `overloaded`
   *   when too many searches wait
   */
  list(query: CatalogueQuery): Promise<CataloguePage>;
  state(): CatalogueState;
  close(): Promise<void>;
}

export interface CatalogueState extends ScanState {
  /** tracks in the list */
  readonly listed: number;
}

export function createCatalogue(index: CatalogueIndex, scan: LibraryScan): Catalogue {
  const search = createCatalogueSearch();

  return {
    start() {
      scan.start();
    },
    async list({ search: text, afterId, limit, mayOpen }) {
      const { library, isComplete } = scan.state();
      const all = index.snapshot();
      if (library === 'unavailable' && all.length === 0) {
        throw new AppError('library_unavailable', 'The music library is not available now');
      }
      const words = foldWords(text);
      const found = words.length > 0 ? await search.find(all, words) : all;
      const open = mayOpen ? await search.filter(found, ({ id }) => mayOpen(id)) : found;
      const start = afterId === undefined ? 0 : findBehind(open, afterId);
      const page = open.slice(start, start + limit);
      const last = page.at(-1);
      return {
        tracks: page.map(({ id, packed }) => unpackMetadata(id, packed)),
        nextCursor: last && start + limit < open.length ? formatCursor(last.id) : null,
        total: open.length,
        complete: isComplete,
      };
    },
    state: () => ({ ...scan.state(), listed: index.snapshot().length }),
    close: () => scan.close(),
  };
}
