/**
 * Orders ids by code points. JavaScript's own order is that of UTF-16 units, where what is above the
 * basic plane comes before its end; SQL, Go and Rust would disagree with it.
 */
export function compareIds(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return rankOf(left) - rankOf(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for what is above all of the basic plane. */
function rankOf(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Index of the first whose id is behind the given one; the list must be sorted. */
export function findBehind(sorted: readonly { readonly id: string }[], id: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = sorted[middle];
    if (at && compareIds(at.id, id) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
