import { describeError, type Logger } from '../../observability/logger';
import { type Library, type LibraryFolder } from '../../storage/library';
import { type CatalogueIndex } from './catalogue-index';
import { createFirstScan, secondsSince } from './first-scan';
import { createKnownTracks, type DescribeTrack } from './known-tracks';
import { createLibraryWalk } from './library-walk';

export interface LibraryScanDeps {
  readonly library: Library;
  readonly index: CatalogueIndex;
  readonly describe: DescribeTrack;
  readonly logger: Logger;
  /** between the end of one full scan and the start of the next */
  readonly rescanMs: number;
}

/** How far the catalogue has come, as far as is known without a look at any disk. */
export interface ScanState {
  /** `unknown` until the first look at the library is over */
  readonly library: 'unknown' | 'available' | 'unavailable';
  /** the whole library was read, and all that was in it described, at least once */
  readonly isComplete: boolean;
  /** names of tracks found so far */
  readonly found: number;
  /** of those, how many are in the list */
  readonly listed: number;
  /** of those, how many have been described, or could not be opened */
  readonly scanned: number;
  readonly folders: number;
  /** false where folders could not be watched: changes are then seen by the next full scan */
  readonly isWatching: boolean;
}

export interface LibraryScan {
  start(): void;
  /** What is known; nothing is looked at. */
  state(): ScanState;
  /** Has a look taken at whether the library is there, soon and at most once a second. */
  lookAgain(): void;
  close(): Promise<void>;
}

/** How often a library that is missing is looked for. */
const LOOK_INTERVAL_MS = 5_000;
/** How old what is known of it may be before somebody who asks has it looked at. */
const LOOK_AGAIN_MS = 1_000;
/** A look that takes longer has met a disk that hangs. */
const PATIENCE_MS = 10_000;
/** Changes come in crowds: an album is many files, a file many writes. */
const GATHER_MS = 250;
const CLOSING_MS = 2_000;
/** How long the list outlives the library: a volume that comes back costs no second scan. */
const KEEP_MS = 3_600_000;

/** Keeps the index as the library is: one scan, then what changes, and now and then another scan. */
export function createLibraryScan(deps: LibraryScanDeps): LibraryScan {
  const { library, index, describe, logger, rescanMs } = deps;
  const tracks = createKnownTracks(index, describe);
  const changed = new Set<string>();
  let ticking: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  let root: LibraryFolder | undefined;
  let availability: ScanState['library'] = 'unknown';
  let isRetrying = false;
  let isClosed = false;
  let gathering: NodeJS.Timeout | undefined;
  let lookStartedAt: number | undefined;
  let lookedAt = -Infinity;
  let isWaiting = false;
  let lastScanAt = -Infinity;
  let lastSeenAt = performance.now();

  const walk = createLibraryWalk({
    library,
    onTracks: (listed) => tracks.note(listed, isRetrying),
    onGone: (ids) => {
      tracks.forget(ids);
    },
    onChange(folderId) {
      changed.add(folderId);
      gather();
    },
    onWatchesExhausted(error) {
      logger.warn('no more folders can be watched: changes are found by full scans only', {
        watched: walk.folderCount,
        rescanSeconds: rescanMs / 1000,
        error: describeError(error.cause),
      });
    },
    onTrouble(error) {
      logger.warn('a folder of the library cannot be read now', { error: describeError(error) });
    },
  });

  const first = createFirstScan(logger, () => ({
    tracks: tracks.listed,
    found: tracks.found,
    folders: walk.folderCount,
  }));

  /** One after the other: the same folder must not be read twice at once. */
  const inTurn = (act: () => Promise<void>): Promise<void> => {
    turn = turn.then(async () => {
      if (isClosed) return;
      try {
        await act();
      } catch (error) {
        logger.warn('the library cannot be looked through', { error: describeError(error) });
      }
    });
    return turn;
  };

  const gather = (): void => {
    if (isClosed || gathering) return;
    gathering = setTimeout(() => {
      gathering = undefined;
      void inTurn(readChanged);
    }, GATHER_MS).unref();
  };

  const readChanged = async (): Promise<void> => {
    const ids = [...changed];
    changed.clear();
    if ((await findRoot())?.state !== root?.state || !root) {
      await lookAround();
      return;
    }
    for (const id of ids) if (!(await walk.readAgain(id))) changed.add(id);
    if (changed.size > 0) gather();
  };

  /**
   * A library that was there and is another folder now, with nothing in it, is a place where nothing
   * is mounted: that is as good as none.
   */
  const findRoot = async (): Promise<LibraryFolder | undefined> => {
    const found = await library.look();
    if (!found || found.state === root?.state || tracks.found === 0) return found;
    const listing = await library.list(found);
    const isEmpty = !listing || listing.tracks.length + listing.folders.length === 0;
    return isEmpty ? undefined : found;
  };

  const lookAround = async (): Promise<void> => {
    const found = await findRoot();
    if (isClosed) return;
    if (!found) {
      lose();
      return;
    }
    const isNews = availability !== 'available' || found.state !== root?.state;
    availability = 'available';
    lastSeenAt = performance.now();
    root = found;
    if (isNews || isScanDue()) await scan(found);
  };

  const lose = (): void => {
    if (availability === 'available') {
      logger.warn('the music library is gone: the catalogue keeps its list for an hour');
    }
    availability = 'unavailable';
    if (performance.now() - lastSeenAt > KEEP_MS) walk.forget('');
  };

  const scan = async (folder: LibraryFolder): Promise<void> => {
    const startedAt = performance.now();
    const isFirst = !first.isComplete;
    // behind the reading of the folders
    if (isFirst) first.follow(turn.then(() => tracks.idle()));
    isRetrying = true;
    await walk.readAll(folder);
    isRetrying = false;
    lastScanAt = performance.now();
    if (isFirst) return;
    logger.debug('the library was looked through', {
      tracks: tracks.found,
      folders: walk.folderCount,
      toDescribe: tracks.waiting,
      seconds: secondsSince(startedAt),
    });
  };

  /** Not in turn: a scan takes minutes, and this is to notice a disk that hangs. */
  const look = async (): Promise<void> => {
    if (lookStartedAt !== undefined || isClosed) return;
    lookStartedAt = performance.now();
    const found = await library.look().catch(() => undefined);
    lookedAt = performance.now();
    lookStartedAt = undefined;
    const isAsBefore =
      availability === 'available' && found !== undefined && found.state === root?.state;
    if (isAsBefore) lastSeenAt = lookedAt;
    if ((isAsBefore && !isScanDue()) || isWaiting) return;
    isWaiting = true;
    await inTurn(lookAround);
    isWaiting = false;
  };

  const isScanDue = (): boolean => performance.now() - lastScanAt >= rescanMs;

  const isHanging = (): boolean =>
    lookStartedAt !== undefined && performance.now() - lookStartedAt > PATIENCE_MS;

  return {
    start() {
      if (ticking || isClosed) return;
      const tick = (): void => {
        if (availability !== 'available' || isScanDue()) void look();
      };
      ticking = setInterval(tick, Math.min(LOOK_INTERVAL_MS, rescanMs)).unref();
      tick();
    },
    lookAgain() {
      if (ticking && performance.now() - lookedAt > LOOK_AGAIN_MS) void look();
    },
    state: () => ({
      library: isHanging() ? 'unavailable' : availability,
      isComplete: first.isComplete,
      found: tracks.found,
      listed: tracks.listed,
      // what was forgotten while it was looked into counts as neither
      scanned: Math.max(0, tracks.found - tracks.waiting),
      folders: walk.folderCount,
      isWatching: walk.isWatching,
    }),
    async close() {
      isClosed = true;
      clearTimeout(gathering);
      clearInterval(ticking);
      first.close();
      walk.close();
      // what hangs in a disk must not keep the process
      const patience = new Promise<void>((resolve) => setTimeout(resolve, CLOSING_MS).unref());
      await Promise.race([tracks.close(), patience]);
    },
  };
}
