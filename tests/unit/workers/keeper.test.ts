import { createKeeper, type Keeper } from '../../../src/workers/keeper';

const WINDOW_MS = 60_000;

describe('createKeeper()', () => {
  let time: number;
  let keeper: Keeper;

  beforeEach(() => {
    time = 1_000;
    keeper = createKeeper({ now: () => time, maxEntries: 100 });
  });

  const add = (key: string, hits = 1, windowMs = WINDOW_MS): unknown =>
    keeper.answer({ kind: 'add', key, hits, windowMs });

  describe('counts', () => {
    it('adds up the hits of a key in the window that the first of them opened', () => {
      expect(add('a', 3)).toEqual({ totalHits: 3, endsInMs: WINDOW_MS });
      time += 20_000;
      expect(add('a')).toEqual({ totalHits: 4, endsInMs: 40_000 });
      expect(add('b')).toEqual({ totalHits: 1, endsInMs: WINDOW_MS });
    });

    it('begins a window at the very end of the last', () => {
      add('a', 7);
      time += WINDOW_MS - 1;
      expect(add('a')).toEqual({ totalHits: 8, endsInMs: 1 });
      time += 1;
      expect(add('a')).toEqual({ totalHits: 1, endsInMs: WINDOW_MS });
    });

    it('keeps the length a window was opened with', () => {
      add('a', 1, 10_000);
      expect(add('a', 1, 99_000)).toEqual({ totalHits: 2, endsInMs: 10_000 });
    });

    it('takes hits back, but none of a window that has ended', () => {
      add('a', 3);
      expect(add('a', -1)).toMatchObject({ totalHits: 2 });
      time += WINDOW_MS;
      expect(add('a', -1)).toMatchObject({ totalHits: 0 });
    });

    it('forgets first who was not counted for the longest when there are too many', () => {
      add('loud', 5);
      for (let i = 0; i < 1_000; i += 1) {
        add(`quiet-${i}`);
        add('loud');
      }
      expect(add('loud')).toMatchObject({ totalHits: 1_006 });
      expect(add('quiet-0')).toMatchObject({ totalHits: 1 });
    });
  });

  describe('admissions', () => {
    const isAdmitted = (key: string): unknown => keeper.answer({ kind: 'isAdmitted', key });
    const admit = (key: string, ttlMs = WINDOW_MS): unknown =>
      keeper.answer({ kind: 'admit', key, ttlMs });

    it('knows who was admitted until the admission ends', () => {
      expect(isAdmitted('a')).toBe(false);
      expect(admit('a')).toBe(true);
      time += WINDOW_MS - 1;
      expect(isAdmitted('a')).toBe(true);
      time += 2;
      expect(isAdmitted('a')).toBe(false);
    });

    it('starts an admission anew each time', () => {
      admit('a');
      time += WINDOW_MS - 1;
      admit('a');
      time += WINDOW_MS - 1;
      expect(isAdmitted('a')).toBe(true);
    });

    it('does not take a count for an admission', () => {
      add('a');
      expect(isAdmitted('a')).toBe(false);
    });
  });

  it('still counts right after what has ended was swept', () => {
    add('a', 5);
    time += WINDOW_MS / 2;
    add('b', 5);
    time += WINDOW_MS / 2 + 1;
    keeper.sweep();
    expect(add('a')).toMatchObject({ totalHits: 1 });
    expect(add('b')).toMatchObject({ totalHits: 6 });
  });
});
