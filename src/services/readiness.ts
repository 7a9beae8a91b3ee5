import { z } from 'zod';
import { type Catalogue } from './catalogue/catalogue';

/** What `/health/ready` says. */
export const readinessSchema = z
  .strictObject({
    /** `ok`: requests may come; all else is a 503 */
    status: z.enum(['ok', 'starting', 'unavailable']),
    /** the process has been told to stop */
    draining: z.boolean(),
    library: z.enum(['unknown', 'available', 'unavailable']),
    /** for the operator: nothing waits for it */
    redis: z.enum(['up', 'down', 'none']),
    catalogue: z.strictObject({
      /** `scanning` until the first scan is complete */
      state: z.enum(['scanning', 'ready']),
      /** in the list */
      tracks: z.int().min(0),
      /** names found so far */
      found: z.int().min(0),
      /** of those, how many were looked into */
      scanned: z.int().min(0),
      folders: z.int().min(0),
      /** false: changes are found by full scans only */
      watching: z.boolean(),
    }),
  })
  .readonly();

export type ReadinessAnswer = z.infer<typeof readinessSchema>;

/** Whether this process can serve, by what is known; no disk and no network is asked. */
export interface Readiness {
  check(): ReadinessAnswer;
  /** From now on it cannot: the process is about to stop. */
  drain(): void;
}

export interface ReadinessDeps {
  readonly catalogue: Pick<Catalogue, 'state'>;
  readonly redis: () => ReadinessAnswer['redis'];
}

/** Without the library there is nothing to serve; without Redis there is. */
export function createReadiness({ catalogue, redis }: ReadinessDeps): Readiness {
  let isDraining = false;
  return {
    check() {
      const { library, isComplete, listed, found, scanned, folders, isWatching } =
        catalogue.state();
      const isReady = !isDraining && library === 'available';
      const isStarting = !isDraining && library === 'unknown';
      return {
        status: isReady ? 'ok' : isStarting ? 'starting' : 'unavailable',
        draining: isDraining,
        library,
        redis: redis(),
        catalogue: {
          state: isComplete ? 'ready' : 'scanning',
          tracks: listed,
          found,
          scanned,
          folders,
          watching: isWatching,
        },
      };
    },
    drain() {
      isDraining = true;
    },
  };
}
