import { createGrowingOutput, type GrowingOutput } from '../../../src/services/growing-output';
import { type DerivedDraft } from '../../../src/storage/derived-files';
import { patternedBytes } from '../../support/patterned-bytes';

const MEBIBYTE = 1024 * 1024;
const MOST_BYTES = 16 * MEBIBYTE;
const { signal } = new AbortController();
const NO_DISK = (): Promise<never> => Promise.reject(new Error('ENOSPC'));

/** A draft in memory that is full from some byte on. */
function createDraft(fullAt = Infinity): DerivedDraft & { readonly state: { isOpen: boolean } } {
  let content = Buffer.alloc(0);
  const state = { isOpen: true };
  return {
    state,
    handle: {
      read: (buffer: Buffer, { position }: { position: number }) =>
        Promise.resolve({ buffer, bytesRead: content.copy(buffer, 0, position) }),
    } as unknown as DerivedDraft['handle'],
    append(chunk) {
      const room = fullAt - content.length;
      content = Buffer.concat([content, chunk.subarray(0, Math.min(chunk.length, room))]);
      return chunk.length > room ? Promise.reject(new Error('ENOSPC')) : Promise.resolve();
    },
    commit: () => Promise.resolve(),
    discard() {
      state.isOpen = false;
      return Promise.resolve();
    },
  };
}

/** Reads from a position to the end. */
async function readAll(output: GrowingOutput, from = 0): Promise<Buffer> {
  const reader = output.openReader();
  const chunks: Buffer[] = [];
  try {
    for (let position = from; ;) {
      const chunk = await reader.read(position, 65_536, signal);
      if (chunk.length === 0) return Buffer.concat(chunks);
      chunks.push(chunk);
      position += chunk.length;
    }
  } finally {
    reader.close();
  }
}

/** Whether it settles without anything further happening. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  const later = new Promise((resolve) => setTimeout(resolve, 20, pending));
  return (await Promise.race([promise, later])) !== pending;
}

describe.each<[string, () => Promise<DerivedDraft>]>([
  ['on a disk', () => Promise.resolve(createDraft())],
  ['on a disk that is full in the middle of a chunk', () => Promise.resolve(createDraft(100_001))],
  ['without a disk', NO_DISK],
])('createGrowingOutput() %s', (_where, openDraft) => {
  const content = patternedBytes(3 * MEBIBYTE);

  it('gives every reader all bytes, whenever it came and wherever it begins', async () => {
    const output = createGrowingOutput(openDraft);
    const readers = [readAll(output), readAll(output, 70_000)];
    for (let at = 0; at < content.length; at += 40_000) {
      await output.append(content.subarray(at, at + 40_000));
      if (at === 800_000) readers.push(readAll(output), readAll(output, 2_000_001));
    }
    output.end();
    readers.push(readAll(output), readAll(output, content.length));
    const starts = [0, 70_000, 0, 2_000_001, 0, content.length];
    for (const [index, read] of (await Promise.all(readers)).entries()) {
      expect(read.equals(content.subarray(starts[index]))).toBe(true);
    }
    expect(output.writtenBytes).toBe(content.length);
    await output.close();
  });

  it('gives what there is before a failure, then the failure', async () => {
    const output = createGrowingOutput(openDraft);
    await output.append(content.subarray(0, 200_000));
    const reader = output.openReader();
    output.end(new Error('it died'));
    output.end(); // the first end counts
    expect((await reader.read(190_000, 65_536, signal)).length).toBe(10_000);
    await expect(reader.read(200_000, 65_536, signal)).rejects.toThrow('it died');
    await expect(output.reached(200_001, 1_000, signal)).rejects.toThrow('it died');
    expect(await output.reached(200_000, 1_000, signal)).toBe(true);
  });
});

describe('createGrowingOutput()', () => {
  it('cannot be committed when the disk failed, and gives the disk back', async () => {
    const draft = createDraft(10);
    const output = createGrowingOutput(() => Promise.resolve(draft));
    await output.append(Buffer.alloc(20));
    output.end();
    await expect(output.commit()).rejects.toThrow('ENOSPC');
    await output.close();
    expect(draft.state.isOpen).toBe(false);
  });

  it('lets the producer wait for its slowest reader when 16 MiB are in memory', async () => {
    const output = createGrowingOutput(NO_DISK);
    const fast = output.openReader();
    const slow = output.openReader();
    for (let mebibyte = 0; mebibyte < 16; mebibyte += 1)
      await output.append(Buffer.alloc(MEBIBYTE));
    const waiting = output.append(Buffer.alloc(MEBIBYTE));
    await fast.read(MOST_BYTES, 1, signal);
    expect(await isSettled(waiting)).toBe(false);

    await slow.read(MEBIBYTE - 1, 1, signal);
    expect(await isSettled(waiting)).toBe(false);
    await slow.read(MEBIBYTE, 1, signal);
    await waiting;

    const next = output.append(Buffer.alloc(MEBIBYTE));
    expect(await isSettled(next)).toBe(false);
    slow.close();
    await next;
    await expect(output.openReader().read(0, 1, signal)).rejects.toThrow(RangeError);
  });

  it('keeps the latest 16 MiB for who comes late, and waits for nobody who is not there', async () => {
    const output = createGrowingOutput(NO_DISK);
    const reached = output.reached(40 * MEBIBYTE + 1, 10_000, signal);
    for (let mebibyte = 0; mebibyte < 41; mebibyte += 1)
      await output.append(Buffer.alloc(MEBIBYTE));
    expect(await reached).toBe(true);
    const reader = output.openReader();
    expect((await reader.read(40 * MEBIBYTE, 10, signal)).length).toBe(10);
    expect((await reader.read(25 * MEBIBYTE, 10, signal)).length).toBe(10);
    await expect(reader.read(24 * MEBIBYTE, 10, signal)).rejects.toThrow(RangeError);
  });

  it('frees a producer that waits for readers when it is ended', async () => {
    const output = createGrowingOutput(NO_DISK);
    output.openReader();
    await output.append(Buffer.alloc(MOST_BYTES));
    const waiting = output.append(Buffer.alloc(1));
    expect(await isSettled(waiting)).toBe(false);
    output.end(new Error('over'));
    await waiting;
  });

  it('tells who reads on behind its close why it was ended', async () => {
    const closed = (): Promise<never> => Promise.reject(new Error('EBADF'));
    const discard = () => Promise.resolve();
    const draft = { handle: { read: closed }, append: discard, commit: discard, discard };
    const output = createGrowingOutput(() => Promise.resolve(draft as unknown as DerivedDraft));
    await output.append(Buffer.alloc(10));
    const reader = output.openReader();
    await expect(reader.read(0, 1, signal)).rejects.toThrow('EBADF');
    output.end(new Error('over'));
    await output.close();
    await expect(reader.read(0, 1, signal)).rejects.toThrow('over');
  });

  it('tells in time that so much was not reached', async () => {
    const output = createGrowingOutput(NO_DISK);
    const startedAt = performance.now();
    expect(await output.reached(1, 100, signal)).toBe(false);
    expect(performance.now() - startedAt).toBeGreaterThan(90);
    expect(performance.now() - startedAt).toBeLessThan(1_000);

    const growing = output.reached(4, 10_000, signal);
    for (let count = 0; count < 4; count += 1) await output.append(Buffer.alloc(1));
    expect(await growing).toBe(true);
    const ending = output.reached(100, 10_000, signal);
    output.end();
    expect(await ending).toBe(true);
  });

  it('lets go of who leaves, without a trace on their signal', async () => {
    const output = createGrowingOutput(NO_DISK);
    const leaving = new AbortController();
    const remove = jest.spyOn(leaving.signal, 'removeEventListener');
    const add = jest.spyOn(leaving.signal, 'addEventListener');
    const reached = output.reached(1, 10_000, leaving.signal);
    const read = expect(output.openReader().read(0, 1, leaving.signal)).rejects.toThrow('left');
    leaving.abort(new Error('left'));
    expect(await reached).toBe(false);
    await read;
    expect(remove.mock.calls.length).toBe(add.mock.calls.length);
  });
});
