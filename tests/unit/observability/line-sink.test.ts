import { Writable } from 'node:stream';
import fc from 'fast-check';
import { createLineSink } from '../../../src/observability/line-sink';

const MAX_WRITE_BYTES = 4_096;
const MAX_WAIT_MS = 50;

/** Takes a write and finishes it when the test says so. */
class SlowOutput extends Writable {
  readonly writes: string[] = [];
  private done: (() => void) | undefined;

  constructor() {
    super({ decodeStrings: false, highWaterMark: 1 });
  }

  override _write(batch: string, _encoding: string, done: () => void): void {
    this.writes.push(batch);
    this.done = done;
  }

  /** @returns whether there was a write to finish */
  async finishOne(): Promise<boolean> {
    const { done } = this;
    this.done = undefined;
    done?.();
    await jest.advanceTimersByTimeAsync(0);
    return done !== undefined;
  }

  async finishAll(): Promise<void> {
    while (await this.finishOne());
  }
}

let output: SlowOutput;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] });
  output = new SlowOutput();
});
afterEach(() => jest.useRealTimers());

describe('createLineSink()', () => {
  it('hands a line over at once, and takes along what waits in front of it', async () => {
    const sink = createLineSink(output, MAX_WAIT_MS);
    sink.append('a\n');
    expect(output.writes).toEqual([]);
    sink.write('b\n');
    expect(output.writes).toEqual(['a\nb\n']);
    await output.finishAll();
    await jest.advanceTimersByTimeAsync(10 * MAX_WAIT_MS);
    expect(output.writes).toEqual(['a\nb\n']);
  });

  it('lets lines wait for company, but not for long', async () => {
    const sink = createLineSink(output, MAX_WAIT_MS);
    sink.append('a\n');
    await jest.advanceTimersByTimeAsync(MAX_WAIT_MS - 1);
    sink.append('b\n');
    expect(output.writes).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(output.writes).toEqual(['a\nb\n']);
  });

  it('waits for nobody where it is told so', () => {
    createLineSink(output, 0).append('a\n');
    expect(output.writes).toEqual(['a\n']);
  });

  it('has one write under way, and joins what comes meanwhile', async () => {
    const sink = createLineSink(output, MAX_WAIT_MS);
    sink.write('a\n');
    sink.write('b\n');
    sink.write('c\n');
    expect(output.writes).toEqual(['a\n']);
    await output.finishOne();
    expect(output.writes).toEqual(['a\n', 'b\nc\n']);
  });

  it('writes what is full, and lets the line that did not fit wait for company', async () => {
    const sink = createLineSink(output, MAX_WAIT_MS);
    const line = `${'x'.repeat(999)}\n`;
    for (let i = 0; i < 11; i += 1) {
      sink.append(line);
      await output.finishAll();
    }
    expect(output.writes).toEqual([line.repeat(4), line.repeat(4)]);
    await jest.advanceTimersByTimeAsync(MAX_WAIT_MS);
    expect(output.writes).toEqual([line.repeat(4), line.repeat(4), line.repeat(3)]);
  });

  it('lets the line that did not fit wait as long as any other', async () => {
    const sink = createLineSink(output, MAX_WAIT_MS);
    sink.append(`${'x'.repeat(4_000)}\n`);
    await jest.advanceTimersByTimeAsync(MAX_WAIT_MS - 1);
    const line = `${'y'.repeat(999)}\n`;
    sink.append(line);
    await output.finishAll();
    await jest.advanceTimersByTimeAsync(MAX_WAIT_MS - 1);
    expect(output.writes).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(1);
    expect(output.writes[1]).toBe(line);
  });

  it('waits for no company once a slow write has made the lines wait', async () => {
    const sink = createLineSink(output, MAX_WAIT_MS);
    sink.write('a\n');
    sink.append('b\n');
    await jest.advanceTimersByTimeAsync(MAX_WAIT_MS);
    expect(output.writes).toEqual(['a\n']);
    await output.finishOne();
    expect(output.writes).toEqual(['a\n', 'b\n']);
  });

  it('lets nobody wait while it is flushed', async () => {
    const sink = createLineSink(output, MAX_WAIT_MS);
    sink.append('a\n');
    const flushed = sink.flush();
    sink.append(`${'x'.repeat(4_095)}\n`);
    await output.finishAll();
    await flushed;
    expect(output.writes).toHaveLength(2);
  });

  it('loses what comes while 8 MiB wait, and tells how many lines once there is room', async () => {
    const lost: number[] = [];
    const sink = createLineSink(output, MAX_WAIT_MS, (lines) => lost.push(lines));
    const line = `${'x'.repeat(MAX_WRITE_BYTES - 1)}\n`;
    sink.write('first\n');
    for (let i = 0; i < 2_048 + 3; i += 1) sink.write(line);
    for (let i = 0; i < 1_024; i += 1) {
      expect(lost).toEqual([]);
      await output.finishOne();
    }
    expect(lost).toEqual([3]);
    await output.finishAll();
    expect(output.writes).toHaveLength(1 + 2_048);
    sink.write('on again\n');
    expect(output.writes.at(-1)).toBe('on again\n');
  });

  it('settles a flush when all lines are out, and at once when there are none', async () => {
    const sink = createLineSink(output, MAX_WAIT_MS);
    await sink.flush();
    sink.append('a\n');
    let isFlushed = false;
    const flushed = sink.flush().then(() => (isFlushed = true));
    expect(output.writes).toEqual(['a\n']);
    await jest.advanceTimersByTimeAsync(0);
    expect(isFlushed).toBe(false);
    await output.finishAll();
    await flushed;
  });

  it('writes whole lines in their order, up to 4096 bytes of them together', async () => {
    const line = fc
      .tuple(fc.constantFrom('x', 'é', '€', '😀'), fc.integer({ min: 0, max: 2_500 }))
      .map(([character, length]) => `${character.repeat(length)}\n`);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(line, fc.boolean()), { maxLength: 40 }), async (lines) => {
        output = new SlowOutput();
        const sink = createLineSink(output, MAX_WAIT_MS);
        for (const [text, isPatient] of lines) {
          if (isPatient) sink.append(text);
          else sink.write(text);
        }
        const flushed = sink.flush();
        await output.finishAll();
        await flushed;
        expect(output.writes.join('')).toBe(lines.map(([text]) => text).join(''));
        for (const batch of output.writes) {
          expect(batch.endsWith('\n')).toBe(true);
          const isOneLine = batch.indexOf('\n') === batch.length - 1;
          expect(isOneLine || Buffer.byteLength(batch) <= MAX_WRITE_BYTES).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });
});
