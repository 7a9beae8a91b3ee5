import { isNativeError } from 'node:util/types';
import { LRUCache } from 'lru-cache';
import { type HotBlocks } from './hot-blocks';
import { createEntry, LentTrack, type Kept, type LongAnswers } from './kept-track';
import { countRequest, createRecentCount, recentRequests, type RecentCount } from './recent-count';
import { type SelectedTrack, type TrackSource } from './track-source';

/** A source whose tracks stay open while many ask for them. */
export interface KeptTracks extends TrackSource {
  /** The track when it is open and need not be looked at; the caller must close it. */
  selectNow(id: string): SelectedTrack | undefined;
  /** Closes what nobody uses; what is in use is closed with its last user. */
  close(): Promise<void>;
}

export interface KeptTracksOptions {
  readonly tracks: TrackSource;
  readonly hotBlocks: HotBlocks;
  /** milliseconds on a clock that never goes back */
  readonly now?: () => number;
}

/** How long a kept track is served without a look at its path. */
const MAX_UNSEEN_MS = 500;
/** More requests than this within {@link MAX_UNSEEN_MS} are a crowd. */
const CROWD = 3;
/** An unused handle is closed after one to two of these: a deleted file must not fill a disk. */
const SWEEP_INTERVAL_MS = 200;
/** Handles, of the thousand or more that a process may have. */
const MAX_KEPT = 256;
/** Ids whose requests are counted; about 2 MB when full. */
const MAX_COUNTED = 10_000;

/**
 * Keeps a track open while a crowd asks for it. Whoever asks alone opens it for themselves.
 *
 * A kept track is looked at every 500 ms: does its path lead to the same file in the same state? So a
 * file that changes may be served as it was for half a second, from the old handle and under its own
 * validators.
 */
export function createKeptTracks({
  tracks,
  hotBlocks,
  now = () => performance.now(),
}: KeptTracksOptions): KeptTracks {
  const kept = new Map<string, Kept>();
  const isCrowded = createCrowdCounter(now);
  const longAnswers: LongAnswers = { out: 0 };
  let sweepTimer: NodeJS.Timeout | undefined;

  const lend = (entry: Kept): SelectedTrack => {
    entry.users += 1;
    entry.wasUsed = true;
    const { id, format, entityTag, original } = entry.selected;
    return { id, format, entityTag, original, track: new LentTrack(entry, longAnswers) };
  };

  const isFresh = (entry: Kept): boolean => now() - entry.seenAt < MAX_UNSEEN_MS;

  /** Settles when the track is closed, if nobody uses it. */
  const drop = async (id: string, entry: Kept): Promise<void> => {
    if (kept.get(id) === entry) kept.delete(id);
    entry.isDropped = true;
    entry.blocks?.clear();
    if (entry.users === 0) await entry.selected.track.close();
  };

  const sweep = (): void => {
    for (const [id, entry] of kept) {
      if (entry.users === 0 && !entry.wasUsed) void drop(id, entry);
      entry.wasUsed = false;
    }
    if (kept.size > 0) return;
    clearInterval(sweepTimer);
    sweepTimer = undefined;
  };

  /** @returns whether there was anything to close */
  const dropUnused = (): boolean => {
    const unused = [...kept].filter(([, entry]) => entry.users === 0);
    for (const [id, entry] of unused) void drop(id, entry);
    return unused.length > 0;
  };

  const keep = (id: string, selected: SelectedTrack, seenAt: number): SelectedTrack => {
    const entry = createEntry(selected, seenAt, hotBlocks);
    if (!entry || kept.has(id) || (kept.size >= MAX_KEPT && !dropUnused())) return selected;
    kept.set(id, entry);
    sweepTimer ??= setInterval(sweep, SWEEP_INTERVAL_MS).unref();
    return lend(entry);
  };

  const open = async (id: string): Promise<SelectedTrack> => {
    try {
      return await tracks.select(id);
    } catch (error) {
      if (isOutOfHandles(error) && dropUnused()) return tracks.select(id);
      throw error;
    }
  };

  /** One look at a time serves all who wait for it. */
  const look = async (entry: Kept): Promise<boolean> => {
    const startedAt = now();
    entry.users += 1; // must not be closed meanwhile
    entry.look ??= entry
      .isCurrent()
      .then((isCurrent) => {
        if (isCurrent) entry.seenAt = startedAt;
        return isCurrent;
      })
      .finally(() => {
        entry.look = undefined;
      });
    try {
      return await entry.look;
    } finally {
      entry.users -= 1;
    }
  };

  return {
    selectNow(id) {
      const entry = kept.get(id);
      return entry && isFresh(entry) && isCrowded(id) ? lend(entry) : undefined;
    },
    async select(id) {
      if (!isCrowded(id)) return open(id);
      const entry = kept.get(id);
      if (entry) {
        if (isFresh(entry) || (await look(entry))) return lend(entry);
        void drop(id, entry);
      }
      const startedAt = now();
      return keep(id, await open(id), startedAt);
    },
    async close() {
      clearInterval(sweepTimer);
      await Promise.all([...kept].map(([id, entry]) => drop(id, entry)));
    },
  };
}

/** Counts a request for an id and tells whether it is one of many. */
function createCrowdCounter(now: () => number): (id: string) => boolean {
  const counts = new LRUCache<string, RecentCount>({ max: MAX_COUNTED });
  return (id) => {
    const time = now();
    let count = counts.get(id);
    if (!count) {
      count = createRecentCount(time);
      counts.set(id, count);
    }
    countRequest(count, time, MAX_UNSEEN_MS);
    return recentRequests(count, time, MAX_UNSEEN_MS) > CROWD;
  };
}

/** EMFILE and ENFILE, under whatever they were translated into. */
function isOutOfHandles(error: unknown): boolean {
  if (!isNativeError(error)) return false;
  if ('code' in error && (error.code === 'EMFILE' || error.code === 'ENFILE')) return true;
  return isOutOfHandles(error.cause);
}
