import { type ListedTrack } from '../../storage/library';
import { createBreather } from './breather';
import { type CatalogueIndex, type IndexedTrack } from './catalogue-index';
import { createDescribeQueue } from './describe-queue';

/** What describing a track comes to; a rejection is no fault of the track, and what was known stays. */
export type DescribeTrack = (id: string) => Promise<
  | {
      readonly track: IndexedTrack;
      /** whether another try may say more */
      readonly isFinal: boolean;
    }
  /** nothing can be opened under the id */
  | undefined
>;

/** The names that the walk has found, and what has become of them. */
export interface KnownTracks {
  /** names found, that can be opened or have not been tried */
  readonly found: number;
  /** of those, what is in the index */
  readonly listed: number;
  /** of those, what is not described yet */
  readonly waiting: number;
  /** What is new or changed is described; with a retry also what could not be the last time. */
  note(tracks: readonly ListedTrack[], isRetry: boolean): Promise<void>;
  forget(ids: readonly string[]): void;
  idle(): Promise<void>;
  close(): Promise<void>;
}

interface Known {
  readonly state: string;
  /** described for good in this state, or found to be nothing */
  isSettled: boolean;
  isListed: boolean;
}

/** About 500 MB; a library with more is no accident of links. */
const MOST_TRACKS = 500_000;
const STEPS_BETWEEN_LOOKS = 256;

export function createKnownTracks(index: CatalogueIndex, describe: DescribeTrack): KnownTracks {
  const tracks = new Map<string, Known>();
  let listed = 0;
  const queue = createDescribeQueue(async (id) => {
    const known = tracks.get(id);
    const described = await describe(id).catch(() => 'failed' as const);
    // gone, or changed and waiting once more
    if (!known || tracks.get(id) !== known) return;
    if (described === 'failed') return;
    if (described) index.put(described.track);
    else index.delete(id);
    setListed(known, described !== undefined);
    known.isSettled = described?.isFinal ?? false;
  });

  const setListed = (known: Known, isListed: boolean): void => {
    if (known.isListed !== isListed) listed += isListed ? 1 : -1;
    known.isListed = isListed;
  };

  return {
    get found() {
      return tracks.size;
    },
    get listed() {
      return listed;
    },
    get waiting() {
      return queue.waiting;
    },
    async note(names, isRetry) {
      const breathe = createBreather();
      for (const [i, { id, state }] of names.entries()) {
        if (i % STEPS_BETWEEN_LOOKS === 0) await breathe();
        const known = tracks.get(id);
        if (known?.state === state && (known.isSettled || !isRetry)) continue;
        if (!known && tracks.size >= MOST_TRACKS) continue;
        if (known?.state !== state) {
          // what is listed stays until it is described anew
          tracks.set(id, { state, isSettled: false, isListed: known?.isListed ?? false });
        }
        queue.add(id);
      }
    },
    forget(ids) {
      for (const id of ids) {
        const known = tracks.get(id);
        if (!known) continue;
        setListed(known, false);
        tracks.delete(id);
        queue.remove(id);
        index.delete(id);
      }
    },
    idle: () => queue.idle(),
    close: () => queue.close(),
  };
}
