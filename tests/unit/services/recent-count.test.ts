import {
  countRequest,
  createRecentCount,
  recentRequests,
} from '../../../src/services/recent-count';

const WINDOW_MS = 100;

/** Counts a request at each of the times and tells what is known of them at the end. */
function countAt(times: readonly number[], end: number): number {
  const count = createRecentCount(0);
  for (const time of times) countRequest(count, time, WINDOW_MS);
  return recentRequests(count, end, WINDOW_MS);
}

describe('recentRequests()', () => {
  it.each([
    ['none', [], 0, 0],
    ['those of this window', [0, 50, 99], 99, 3],
    ['those of the last window while this one has fewer', [0, 50, 99, 100], 100, 3],
    ['those of this window once it has more', [0, 100, 110], 110, 2],
    ['nothing of windows further back', [0, 10, 20, 100, 200], 200, 1],
    ['nothing of before a pause', [0, 10, 20, 220], 220, 1],
    ['those of a window that nobody has followed up yet', [0, 10, 20], 199, 3],
    ['nothing once that is two windows ago', [0, 10, 20], 200, 0],
  ])('are %s', (_what, times, end, expected) => {
    expect(countAt(times, end)).toBe(expected);
  });
});
