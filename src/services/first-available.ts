import { type SharedCount, type SharedCounter } from './shared-counter';

/**
 * One counter out of two: `first`, which counts for every machine, while it can be reached, and
 * `second`, which counts for this one, when it cannot.
 *
 * Every hit goes to both and the greater count decides. So when the first leaves, the limit goes
 * on from what this machine has seen instead of from zero, and when it comes back what was counted
 * meanwhile is not forgiven, whichever process of the machine asks. What does not hold: hits of
 * other machines are forgotten while the first is away, and where the two windows began apart, the
 * one with the greater count tells when it ends. Both are asked at the same time: an answer takes
 * as long as the slower of them, within the bounds that each sets itself.
 *
 * `add()` rejects only when both do.
 */
export function firstAvailable(first: SharedCounter, second: SharedCounter): SharedCounter {
  return {
    async add(key, hits, windowMs) {
      const [everywhere, here] = await Promise.allSettled([
        first.add(key, hits, windowMs),
        second.add(key, hits, windowMs),
      ]);
      if (everywhere.status === 'rejected') return valueOf(here);
      return here.status === 'rejected' ? everywhere.value : greater(everywhere.value, here.value);
    },
  };
}

function valueOf(result: PromiseSettledResult<SharedCount>): SharedCount {
  if (result.status === 'fulfilled') return result.value;
  throw result.reason;
}

/** Of equal counts the first: it speaks for all machines. */
function greater(a: SharedCount, b: SharedCount): SharedCount {
  return b.totalHits > a.totalHits ? b : a;
}
