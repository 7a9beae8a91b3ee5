/** How often something was asked for lately: in this window, and in the one before. */
export interface RecentCount {
  /** milliseconds; when this window began */
  from: number;
  requests: number;
  requestsBefore: number;
}

/** @param time milliseconds, on the clock that the other functions are told of */
export function createRecentCount(time: number): RecentCount {
  return { from: time, requests: 0, requestsBefore: 0 };
}

/** Counts a request; the first after the end of a window begins the next. */
export function countRequest(count: RecentCount, time: number, windowMs: number): void {
  const age = time - count.from;
  if (age >= windowMs) {
    count.requestsBefore = age < 2 * windowMs ? count.requests : 0;
    count.requests = 0;
    count.from = time;
  }
  count.requests += 1;
}

/** The requests of a window, be it this one or the last: a crowd is none the less for a new window. */
export function recentRequests(
  { from, requests, requestsBefore }: RecentCount,
  time: number,
  windowMs: number,
): number {
  return time - from < 2 * windowMs ? Math.max(requests, requestsBefore) : 0;
}
