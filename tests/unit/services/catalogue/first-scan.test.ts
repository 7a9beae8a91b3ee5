import { type Logger } from '../../../../src/observability/logger';
import { createFirstScan } from '../../../../src/services/catalogue/first-scan';

const counts = { tracks: 0, found: 0, folders: 0 };
const lines: unknown[][] = [];
const logger = { info: (...line: unknown[]) => lines.push(line) } as unknown as Logger;

beforeEach(() => {
  jest.useFakeTimers();
  lines.length = 0;
});
afterEach(() => {
  jest.useRealTimers();
});

describe('createFirstScan()', () => {
  it('says every 10 s how far it has come, and no more when it is over', async () => {
    let end = (): void => undefined;
    const scan = createFirstScan(logger, () => ({ ...counts }));
    scan.follow(new Promise((resolve) => (end = resolve)));
    Object.assign(counts, { tracks: 1, found: 70, folders: 7 });
    await jest.advanceTimersByTimeAsync(10_000);
    Object.assign(counts, { tracks: 60 });
    await jest.advanceTimersByTimeAsync(10_000);
    expect(scan.isComplete).toBe(false);
    end();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(scan.isComplete).toBe(true);
    expect(lines).toEqual([
      ['first scan of the library begins'],
      ['first scan of the library', { tracks: 1, found: 70, folders: 7, seconds: 10 }],
      ['first scan of the library', { tracks: 60, found: 70, folders: 7, seconds: 20 }],
      ['first scan of the library is complete', { tracks: 60, found: 70, folders: 7, seconds: 20 }],
    ]);
  });

  it('is one, whatever is looked through meanwhile and after that', async () => {
    const scan = createFirstScan(logger, () => counts);
    scan.follow(Promise.resolve());
    scan.follow(new Promise(() => undefined));
    await jest.advanceTimersByTimeAsync(0);
    scan.follow(new Promise(() => undefined));
    await jest.advanceTimersByTimeAsync(60_000);
    expect(scan.isComplete).toBe(true);
    expect(lines).toHaveLength(2);
  });

  it('says nothing more when it is closed', async () => {
    let end = (): void => undefined;
    const scan = createFirstScan(logger, () => counts);
    scan.follow(new Promise((resolve) => (end = resolve)));
    scan.close();
    end();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(scan.isComplete).toBe(false);
    expect(lines).toHaveLength(1);
  });
});
