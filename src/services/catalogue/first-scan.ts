import { type Logger } from '../../observability/logger';

/** How far a scan has come. */
export interface ScanCounts {
  readonly tracks: number;
  readonly found: number;
  readonly folders: number;
}

/** The scan that fills the catalogue: it takes minutes, and the operator is told how far it is. */
export interface FirstScan {
  /** it is over: what is in the list is all there is */
  readonly isComplete: boolean;
  /** @param work settles when all is described; while one is followed, others are not */
  follow(work: Promise<void>): void;
  close(): void;
}

const PROGRESS_INTERVAL_MS = 10_000;

/** @param count is asked for each line */
export function createFirstScan(logger: Logger, count: () => ScanCounts): FirstScan {
  let progress: NodeJS.Timeout | undefined;
  let isComplete = false;
  let isClosed = false;

  return {
    get isComplete() {
      return isComplete;
    },
    follow(work) {
      if (progress || isComplete || isClosed) return;
      const startedAt = performance.now();
      const describe = (): Record<string, number> => ({
        ...count(),
        seconds: secondsSince(startedAt),
      });
      logger.info('first scan of the library begins');
      progress = setInterval(() => {
        logger.info('first scan of the library', describe());
      }, PROGRESS_INTERVAL_MS).unref();
      void work.then(() => {
        clearInterval(progress);
        if (isClosed) return;
        isComplete = true;
        logger.info('first scan of the library is complete', describe());
      });
    },
    close() {
      isClosed = true;
      clearInterval(progress);
    },
  };
}

/** With two decimals. @param startedAt as of `performance.now()` */
export function secondsSince(startedAt: number): number {
  return Math.round((performance.now() - startedAt) / 10) / 100;
}
