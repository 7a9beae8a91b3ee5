import { createJobSlots, type JobSlots } from '../../../src/services/job-slots';

const { signal } = new AbortController();

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** Takes a place and notes the name when it is there. */
function ask(slots: JobSlots, subject: string, served: string[]): Promise<(() => void) | string> {
  return slots.take(subject, new AbortController().signal).then(
    (release) => {
      served.push(subject);
      return release;
    },
    (error: unknown) => (error as { code: string }).code,
  );
}

async function settle(): Promise<void> {
  await jest.advanceTimersByTimeAsync(0);
}

function releaseOf(outcome: (() => void) | string): () => void {
  if (typeof outcome === 'string') throw new Error(outcome);
  return outcome;
}

describe('createJobSlots()', () => {
  it('gives as many places as there are, and the next when one is given back', async () => {
    const slots = createJobSlots({ mostRunning: 2 });
    const served: string[] = [];
    const first = releaseOf(await ask(slots, 'a', served));
    await ask(slots, 'b', served);
    const third = ask(slots, 'c', served);
    await settle();
    expect(served).toEqual(['a', 'b']);

    first();
    first(); // twice is once
    await third;
    const fourth = ask(slots, 'd', served);
    await settle();
    expect(served).toEqual(['a', 'b', 'c']);
    releaseOf(await third)();
    await fourth;
    expect(served).toEqual(['a', 'b', 'c', 'd']);
  });

  it('never has more running, whatever comes and goes', async () => {
    const slots = createJobSlots({ mostRunning: 3, mostWaiting: 1_000 });
    let running = 0;
    let most = 0;
    const jobs = Array.from({ length: 200 }, async (_, index) => {
      const leaving = new AbortController();
      if (index % 5 === 0)
        setTimeout(() => {
          leaving.abort();
        }, index);
      try {
        const release = await slots.take(`s${index % 7}`, leaving.signal);
        most = Math.max(most, (running += 1));
        await new Promise((resolve) => setTimeout(resolve, (index * 7) % 40));
        running -= 1;
        release();
      } catch {
        // left, or was too long
      }
    });
    await jest.advanceTimersByTimeAsync(20_000);
    await Promise.all(jobs);
    expect(most).toBe(3);
    expect(running).toBe(0);
    // all places are there again
    await Promise.all([1, 2, 3].map(() => slots.take('z', signal)));
  });

  it('lets those in first who have least running, else in the order of asking', async () => {
    const slots = createJobSlots({ mostRunning: 2 });
    const served: string[] = [];
    const greedy = releaseOf(await ask(slots, 'greedy', served));
    await ask(slots, 'greedy', served);
    const asked = ['greedy', 'greedy', 'modest', 'other'].map((who) => ask(slots, who, served));
    greedy();
    releaseOf(await asked[2]!)();
    releaseOf(await asked[3]!)();
    await asked[0];
    expect(served).toEqual(['greedy', 'greedy', 'modest', 'other', 'greedy']);
  });

  it('turns away the ninth who waits, at once', async () => {
    const slots = createJobSlots({ mostRunning: 1 });
    const served: string[] = [];
    for (let index = 0; index < 9; index += 1) void ask(slots, `s${index}`, served);
    await settle();
    await expect(slots.take('another', signal)).rejects.toMatchObject({ code: 'overloaded' });
  });

  it('keeps a place in the queue for others than who fills it', async () => {
    const slots = createJobSlots({ mostRunning: 2 });
    const served: string[] = [];
    const running = releaseOf(await ask(slots, 'greedy', served));
    await ask(slots, 'greedy', served);
    const waiting = Array.from({ length: 8 }, () => ask(slots, 'greedy', served));
    await expect(slots.take('greedy', signal)).rejects.toMatchObject({ code: 'overloaded' });

    const modest = ask(slots, 'modest', served);
    expect(await waiting[7]).toBe('overloaded'); // the last that the greedy one asked
    running();
    await modest;
    expect(served).toEqual(['greedy', 'greedy', 'modest']);
  });

  it('lets nobody wait for more than 5 s', async () => {
    const slots = createJobSlots({ mostRunning: 1 });
    await slots.take('a', signal);
    let outcome: unknown;
    void slots.take('b', signal).catch((error: unknown) => (outcome = error));
    await jest.advanceTimersByTimeAsync(4_999);
    expect(outcome).toBeUndefined();
    await jest.advanceTimersByTimeAsync(1);
    expect(outcome).toMatchObject({ code: 'overloaded' });
    expect(jest.getTimerCount()).toBe(0);
  });

  it('forgets who leaves while waiting, and refuses who has left', async () => {
    const slots = createJobSlots({ mostRunning: 1 });
    const release = await slots.take('a', signal);
    const leaving = new AbortController();
    const left = expect(slots.take('b', leaving.signal)).rejects.toThrow('gone');
    const next = slots.take('c', signal);
    leaving.abort(new Error('gone'));
    await left;
    release();
    await next;
    await expect(slots.take('d', leaving.signal)).rejects.toThrow('gone');
    expect(jest.getTimerCount()).toBe(0);
  });
});
