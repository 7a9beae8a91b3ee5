/** Numbers from 0 to below 1; the same for the same seed, so that every peer gets the same work. */
export type Random = () => number;

/** mulberry32: small, quick, and even enough to choose tracks and offsets with. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function drawInteger(random: Random, below: number): number {
  return Math.floor(random() * below);
}

/** @throws RangeError when there is nothing to draw from */
export function drawOne<T>(random: Random, from: readonly T[]): T {
  const drawn = from[drawInteger(random, from.length)];
  if (drawn === undefined) throw new RangeError('nothing to draw from');
  return drawn;
}

/**
 * Draws an index as listeners choose tracks: the k-th most loved with a weight of 1/k.
 *
 * @see Zipf's law, exponent 1
 */
export function createZipf(random: Random, count: number): () => number {
  const cumulative: number[] = [];
  let total = 0;
  for (let rank = 1; rank <= count; rank += 1) cumulative.push((total += 1 / rank));
  return () => {
    const wanted = random() * total;
    const index = cumulative.findIndex((weight) => weight >= wanted);
    return index < 0 ? count - 1 : index;
  };
}
