export interface SharedCount {
  /** hits in the window, those just added included */
  readonly totalHits: number;
  /** milliseconds until the window ends */
  readonly endsInMs: number;
}

/** Counts kept outside this process for all that share them. */
export interface SharedCounter {
  /** Adds hits to a key; the first opens a window. Rejects when it cannot be reached: then the caller decides alone. */
  add(key: string, hits: number, windowMs: number): Promise<SharedCount>;
}
