import { createTurns, type Turn, type Turns } from '../../../src/streaming/turns';

const PLACES = 2;
const OVERDUE_MS = 1_000;

let turns: Turns;
let begun: string[];

beforeEach(() => {
  jest.useFakeTimers();
  begun = [];
  turns = createTurns({ places: PLACES, overdueMs: OVERDUE_MS, now: () => performance.now() });
});

afterEach(() => {
  jest.useRealTimers();
});

function take(name: string): Turn {
  return turns.take(() => begun.push(name));
}

/** One turn of the event loop: fake immediates that a timer has set need a millisecond. */
function turnLoop(): void {
  jest.advanceTimersByTime(1);
}

describe('createTurns()', () => {
  it('begins at once while there are places, and sets no timer for it', () => {
    take('a');
    take('b').end();
    take('c');
    expect(begun).toEqual(['a', 'b', 'c']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('lets those who wait begin in their order, in a later turn of the event loop', () => {
    const a = take('a');
    const b = take('b');
    take('c');
    take('d');
    a.end();
    b.end();
    expect(begun).toEqual(['a', 'b']);
    turnLoop();
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
  });

  it('lets nobody pass who comes when a place is free and others wait', () => {
    const a = take('a');
    take('b');
    take('c');
    a.end();
    take('d');
    turnLoop();
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('begins no more in one turn of the event loop than there are places', () => {
    const each = [take('a'), take('b')];
    let others = 0;
    const again = (): Turn =>
      turns.take(() => {
        others += 1;
      });
    each.push(...Array.from({ length: 10 }, again));
    for (const turn of each.slice(0, PLACES)) turn.end();
    turnLoop();
    expect(others).toBe(PLACES);
  });

  it('does not begin for whoever has left the queue', () => {
    const a = take('a');
    take('b');
    const c = take('c');
    take('d');
    c.end();
    a.end();
    turnLoop();
    expect(begun).toEqual(['a', 'b', 'd']);
  });

  it('makes one place free for one turn, however often it is ended', () => {
    const a = take('a');
    take('b');
    take('c');
    take('d');
    a.end();
    a.end();
    turnLoop();
    a.end();
    turnLoop();
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('gives the places of turns that hang to those who wait', () => {
    const hanging = [take('a'), take('b')];
    take('c');
    jest.advanceTimersByTime(OVERDUE_MS);
    turnLoop();
    expect(begun).toEqual(['a', 'b', 'c']);
    // what comes back late has no place any more to give away
    take('d');
    take('e');
    for (const turn of hanging) turn.end();
    turnLoop();
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
  });

  it('leaves their places to turns that are not overdue', () => {
    const a = take('a');
    take('b');
    take('c');
    jest.advanceTimersByTime(OVERDUE_MS - 10);
    a.end();
    turnLoop();
    take('d');
    jest.advanceTimersByTime(20);
    expect(begun).toEqual(['a', 'b', 'c', 'd']); // b was overdue
    take('e');
    jest.advanceTimersByTime(OVERDUE_MS / 2);
    expect(begun).not.toContain('e');
  });

  it('has no timer left when nobody waits', () => {
    take('a');
    take('b');
    take('c').end();
    jest.advanceTimersByTime(2 * OVERDUE_MS);
    expect(jest.getTimerCount()).toBe(0);
  });
});
