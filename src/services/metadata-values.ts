const LONGEST_TEXT = 1000;

/**
 * Text of a tag as it may be shown: one line, at most 1,000 UTF-16 units, no control characters.
 *
 * @returns null when nothing is left
 */
export function formatText(text: string | null | undefined): string | null {
  const line = (text ?? '')
    .replace(/[\t\n\r]+/g, ' ')
    .replace(/\p{Cc}/gu, '')
    .trim()
    .slice(0, LONGEST_TEXT)
    // half a character, where the cut went through one or the tag was damaged
    .replace(/\p{Surrogate}/gu, '')
    .trim();
  return line === '' ? null : line;
}

/** A whole number above zero, rounded; null for anything else. */
export function formatWhole(value: number | null | undefined): number | null {
  const rounded = Math.round(value ?? 0);
  return Number.isSafeInteger(rounded) && rounded > 0 ? rounded : null;
}

/** A year of four digits. */
export function formatYear(value: number | undefined): number | null {
  const year = formatWhole(value);
  return year !== null && year >= 1000 && year <= 9999 ? year : null;
}

/** Seconds with three decimals. */
export function formatDuration(seconds: number | null): number | null {
  if (seconds === null || !Number.isFinite(seconds) || seconds < 0) return null;
  return Math.round(seconds * 1000) / 1000;
}
