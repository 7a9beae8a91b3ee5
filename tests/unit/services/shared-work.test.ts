import { createSharedWork } from '../../../src/services/shared-work';

/** Work that ends when it is told to, or with its signal. */
function setUp() {
  const share = createSharedWork<string>();
  const started: AbortSignal[] = [];
  let end: (result: string) => void = () => undefined;
  const start = (signal: AbortSignal): Promise<string> => {
    started.push(signal);
    return new Promise((resolve, reject) => {
      end = resolve;
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
    });
  };
  const ask = (leaving = new AbortController()): Promise<string> =>
    share('key', start, leaving.signal);
  return {
    ask,
    started,
    end: (result: string): void => {
      end(result);
    },
  };
}

describe('createSharedWork()', () => {
  it('is one for all who ask at the same time', async () => {
    const { ask, started, end } = setUp();
    const asked = [ask(), ask(), ask()];
    end('done');
    expect(await Promise.all(asked)).toEqual(['done', 'done', 'done']);
    expect(started).toHaveLength(1);
  });

  it('goes on for the others, and who started it waits for its end', async () => {
    const { ask, started, end } = setUp();
    const leaving = new AbortController();
    const first = jest.fn();
    const gone = ask(leaving).catch(first);
    const other = ask();
    leaving.abort(new Error('left'));
    await new Promise(setImmediate);
    expect([started[0]!.aborted, first.mock.calls]).toEqual([false, []]);
    end('done');
    expect(await other).toBe('done');
    await gone;
    expect(first).toHaveBeenCalledWith(new Error('left'));
  });

  it('is ended when all have left, and begun anew', async () => {
    const { ask, started, end } = setUp();
    const leaving = new AbortController();
    const asked = ask(leaving);
    leaving.abort(new Error('left'));
    await expect(asked).rejects.toThrow('left');
    expect(started[0]!.aborted).toBe(true);
    const again = ask();
    end('done');
    expect(await again).toBe('done');
    expect(started).toHaveLength(2);
  });
});
