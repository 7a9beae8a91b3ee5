import { type PrimaryMessage, type WorkerMessage } from '../../../src/workers/messages';
import { createPrimaryClient, type PrimaryClient } from '../../../src/workers/primary-client';

interface Primary {
  readonly client: PrimaryClient;
  readonly sent: WorkerMessage[];
  readonly late: jest.Mock;
  say(message: PrimaryMessage): void;
  leave(): void;
}

function meetPrimary(): Primary {
  const sent: WorkerMessage[] = [];
  const late = jest.fn();
  let say: (message: PrimaryMessage) => void = () => undefined;
  let leave: () => void = () => undefined;
  const client = createPrimaryClient({
    onLate: late,
    channel: {
      send: (message) => sent.push(message),
      onMessage: (listener) => (say = listener),
      onGone: (listener) => (leave = listener),
    },
  });
  return {
    client,
    sent,
    late,
    say: (message) => {
      say(message);
    },
    leave: () => {
      leave();
    },
  };
}

const COUNT = { totalHits: 4, endsInMs: 1_000 };

describe('createPrimaryClient()', () => {
  let primary: Primary;

  beforeEach(() => {
    jest.useFakeTimers();
    primary = meetPrimary();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Marks the rejection as handled: the timers run before anybody looks at it. */
  const add = (key = 'a'): Promise<unknown> => {
    const count = primary.client.counter.add(key, 2, 60_000);
    count.catch(() => undefined);
    return count;
  };

  it('asks for a count and hands on the answer', async () => {
    const count = add();
    expect(primary.sent).toEqual([
      { kind: 'ask', id: 1, question: { kind: 'add', key: 'a', hits: 2, windowMs: 60_000 } },
    ]);
    primary.say({ kind: 'answer', id: 1, answer: COUNT });
    expect(await count).toEqual(COUNT);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('gives each question its own answer, in whatever order they come', async () => {
    const counts = [add('a'), add('b')];
    primary.say({ kind: 'answer', id: 2, answer: { totalHits: 2, endsInMs: 2 } });
    primary.say({ kind: 'answer', id: 1, answer: { totalHits: 1, endsInMs: 1 } });
    expect(await Promise.all(counts)).toMatchObject([{ totalHits: 1 }, { totalHits: 2 }]);
  });

  it('rejects after 200 ms, and for a second does not ask at all', async () => {
    const count = add();
    await jest.advanceTimersByTimeAsync(199);
    expect(primary.late).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(11);
    await expect(count).rejects.toThrow('no answer within 200 ms');
    expect(primary.late).toHaveBeenCalledTimes(1);

    await expect(add()).rejects.toThrow('no answer within 200 ms');
    expect(primary.sent).toHaveLength(1);

    await jest.advanceTimersByTimeAsync(1_000);
    const next = add();
    expect(primary.sent).toHaveLength(2);
    primary.say({ kind: 'answer', id: 2, answer: COUNT });
    expect(await next).toEqual(COUNT);
  });

  it('says once that many answers are late', async () => {
    const counts = [add(), add(), add()];
    await jest.advanceTimersByTimeAsync(210);
    expect((await Promise.allSettled(counts)).map(({ status }) => status)).toEqual(
      Array(3).fill('rejected'),
    );
    expect(primary.late).toHaveBeenCalledTimes(1);
  });

  it('takes no notice of an answer that comes too late', async () => {
    const count = add();
    await jest.advanceTimersByTimeAsync(210);
    primary.say({ kind: 'answer', id: 1, answer: COUNT });
    await expect(count).rejects.toThrow('no answer');
  });

  it('rejects at once what waits, and whatever follows, when the primary is gone', async () => {
    const count = add();
    primary.leave();
    await expect(count).rejects.toThrow('the primary is gone');
    await expect(add()).rejects.toThrow('the primary is gone');
    await jest.advanceTimersByTimeAsync(10_000);
    await expect(add()).rejects.toThrow('the primary is gone');
    expect(primary.sent).toHaveLength(1);
    expect(primary.late).not.toHaveBeenCalled();
  });

  it('tells of admissions and asks for them', async () => {
    const { admissions } = primary.client;
    const told = admissions.admit('a', 1_000);
    const known = admissions.isAdmitted('b');
    expect(primary.sent).toMatchObject([
      { id: 1, question: { kind: 'admit', key: 'a', ttlMs: 1_000 } },
      { id: 2, question: { kind: 'isAdmitted', key: 'b' } },
    ]);
    primary.say({ kind: 'answer', id: 1, answer: true });
    primary.say({ kind: 'answer', id: 2, answer: true });
    await told;
    expect(await known).toBe(true);
  });

  it('takes nobody for admitted, and goes on, when nobody can be asked', async () => {
    primary.leave();
    expect(await primary.client.admissions.isAdmitted('a')).toBe(false);
    await primary.client.admissions.admit('a', 1_000);
  });

  it('hands on the request to stop', async () => {
    primary.say({ kind: 'stop', reason: 'SIGTERM' });
    primary.leave();
    expect(await primary.client.stopRequest).toBe('SIGTERM');
  });

  it('takes the loss of the primary for a request to stop', async () => {
    primary.leave();
    expect(await primary.client.stopRequest).toBe('the primary is gone');
  });
});
