import { readdirSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { createJobSlots } from '../../../src/services/job-slots';
import { type Product, type Recipe } from '../../../src/services/production';
import { createProductions, type Productions } from '../../../src/services/productions';
import { openDerivedFiles, type DerivedFiles } from '../../../src/storage/derived-files';
import { createChunkMemory } from '../../../src/streaming/chunk-memory';
import { patternedBytes } from '../../support/patterned-bytes';
import { createTempFolder, removeTempFolders } from '../../support/temp-folder';
import { until } from '../../support/until';

const { signal } = new AbortController();
const CONTENT = patternedBytes(300_000);

afterAll(removeTempFolders);

/** A recipe that goes on when it is told to, and counts how often it was followed. */
interface Kitchen {
  readonly recipe: Recipe;
  started: number;
  running: number;
  aborted: number;
  /** appends up to so many bytes; all is the end */
  goOn(bytes?: number): void;
  fail(error: Error): void;
}

function openKitchen(key = 'key', lengthBytes: number | null = CONTENT.length): Kitchen {
  let wanted = 0;
  let failure: Error | undefined;
  let wake: () => void = () => undefined;
  const kitchen: Kitchen = {
    started: 0,
    running: 0,
    aborted: 0,
    goOn(bytes = CONTENT.length) {
      wanted = bytes;
      wake();
    },
    fail(error) {
      failure = error;
      wake();
    },
    recipe: {
      key,
      ...(lengthBytes === null ? {} : { lengthBytes }),
      async produce(append, stop) {
        kitchen.started += 1;
        kitchen.running += 1;
        stop.addEventListener('abort', () => {
          wake();
        });
        try {
          for (let done = 0; done < CONTENT.length;) {
            stop.throwIfAborted();
            if (failure) throw failure;
            const next = Math.min(wanted, done + 10_000);
            if (next > done) await append(CONTENT.subarray(done, next));
            else await new Promise<void>((resolve) => (wake = resolve));
            done = Math.max(done, next);
          }
        } catch (error) {
          if (stop.aborted) kitchen.aborted += 1;
          throw error;
        } finally {
          kitchen.running -= 1;
        }
      },
    },
  };
  return kitchen;
}

interface Made {
  readonly productions: Productions;
  readonly files: DerivedFiles;
  readonly notKept: unknown[];
}

async function open(files?: DerivedFiles): Promise<Made> {
  const notKept: unknown[] = [];
  const kept =
    files ??
    (await openDerivedFiles({
      folder: createTempFolder(),
      maxBytes: 1e9,
      memory: createChunkMemory(),
      onTrouble: (error) => notKept.push(error),
    }));
  const productions = createProductions({
    files: kept,
    slots: createJobSlots({ mostRunning: 4 }),
    onNotKept: (error) => notKept.push(error),
  });
  return { productions, files: kept, notKept };
}

function readAll(product: Product, firstPos = 0, lastPos = CONTENT.length - 1): Promise<Buffer> {
  return buffer(product.read({ firstPos, lastPos }, new AbortController().signal));
}

describe('createProductions()', () => {
  it('makes once what 200 ask for at the same time, and keeps it', async () => {
    const { productions } = await open();
    const kitchen = openKitchen();
    const products = await Promise.all(
      Array.from({ length: 200 }, () => productions.open(kitchen.recipe, 'a')),
    );
    const reads = products.map((product) => readAll(product));
    kitchen.goOn(123_456);
    await products[0]!.until(123_456, signal);
    kitchen.goOn();
    for (const content of await Promise.all(reads)) expect(content.equals(CONTENT)).toBe(true);
    await products[0]!.whenOver;
    expect(products[0]).toMatchObject({ isWhole: true, lengthBytes: CONTENT.length });
    for (const product of products) product.close();

    const kept = await productions.open(kitchen.recipe, 'b');
    expect(kept.isWhole).toBe(true);
    expect((await readAll(kept, 5, 99_999)).equals(CONTENT.subarray(5, 100_000))).toBe(true);
    kept.close();
    expect(kitchen.started).toBe(1);
  });

  it('makes once even where the look into the cache takes no time', async () => {
    const { files } = await open();
    const { productions } = await open({
      find: () => Promise.resolve(undefined),
      create: (key) => files.create(key),
    });
    const kitchen = openKitchen();
    kitchen.goOn();
    const asked = Array.from({ length: 20 }, () => productions.open(kitchen.recipe, 'a'));
    const products = await Promise.all(asked);
    await Promise.all(products.map((product) => readAll(product)));
    expect(kitchen.started).toBe(1);
    for (const product of products) product.close();
  });

  it('goes on for the others when every fifth leaves, the first included', async () => {
    const { productions } = await open();
    const kitchen = openKitchen();
    const products = await Promise.all(
      Array.from({ length: 200 }, () => productions.open(kitchen.recipe, 'a')),
    );
    const reads = products.map(async (product, index) => {
      if (index % 5 !== 0) {
        const content = await readAll(product);
        product.close();
        return content;
      }
      const leaving = new AbortController();
      const read = buffer(product.read({ firstPos: 0, lastPos: 299_999 }, leaving.signal));
      setTimeout(() => {
        leaving.abort(new Error('left'));
        product.close();
      }, Math.random() * 30);
      await expect(read).rejects.toThrow();
      return undefined;
    });
    kitchen.goOn(200_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    kitchen.goOn();
    const contents = await Promise.all(reads);
    expect(contents.filter((content) => content?.equals(CONTENT))).toHaveLength(160);
    expect(kitchen).toMatchObject({ started: 1, aborted: 0 });
  });

  it.each<[string, number | null, number]>([
    ['before the first byte', CONTENT.length, 0],
    ['in the middle', CONTENT.length, 230_000],
    ['near the end of what has no known length', null, 290_000],
  ])('stops when the last reader leaves %s', async (_when, lengthBytes, at) => {
    const { productions, files } = await open();
    const kitchen = openKitchen('key', lengthBytes);
    const products = [
      await productions.open(kitchen.recipe, 'a'),
      await productions.open(kitchen.recipe, 'b'),
    ];
    kitchen.goOn(at);
    await products[0]!.until(at, signal);
    products[0]!.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(kitchen.aborted).toBe(0);
    products[1]!.close();
    await products[0]!.whenOver;
    await until(() => kitchen.running === 0, 'it is stopped');
    expect(await files.find('key')).toBeUndefined();
    expect(await productions.find('key')).toBeUndefined();
  });

  it('finishes what is more than four fifths done, and keeps it', async () => {
    const { productions, files } = await open();
    const kitchen = openKitchen();
    const product = await productions.open(kitchen.recipe, 'a');
    kitchen.goOn(240_000);
    await product.until(240_000, signal);
    product.close();
    kitchen.goOn();
    await product.whenOver;
    expect(kitchen.aborted).toBe(0);
    const kept = await files.find('key');
    expect(kept?.sizeBytes).toBe(CONTENT.length);
    await kept?.close();
  });

  it('begins anew for who asks while the one before is being ended', async () => {
    const { productions } = await open();
    const slow = openKitchen();
    let end: (() => void) | undefined;
    const ending: Recipe = {
      ...slow.recipe,
      // takes its time to die, as a process does
      produce: () =>
        new Promise((_resolve, reject) => {
          end = () => {
            reject(new Error('ended'));
          };
        }),
    };
    const first = await productions.open(ending, 'a');
    await until(() => end !== undefined, 'it is begun');
    first.close();
    const fresh = openKitchen();
    const second = await productions.open(fresh.recipe, 'b');
    fresh.goOn();
    const read = readAll(second);
    end?.();
    await first.whenOver;
    expect((await read).equals(CONTENT)).toBe(true);
    // what was ended has not taken the new one from the list
    const third = await productions.open(fresh.recipe, 'c');
    expect(fresh.started).toBe(1);
    second.close();
    third.close();
  });

  it('tells all who wait of a failure, and tries again for the next', async () => {
    const { productions, files } = await open();
    const kitchen = openKitchen();
    const product = await productions.open(kitchen.recipe, 'a');
    const other = await productions.open(kitchen.recipe, 'b');
    kitchen.goOn(100_000);
    const read = expect(readAll(product)).rejects.toThrow('it died');
    const wait = expect(other.until(100_001, signal)).rejects.toThrow('it died');
    await product.until(100_000, signal);
    kitchen.fail(new Error('it died'));
    await Promise.all([read, wait]);
    expect(await files.find('key')).toBeUndefined();

    const again = openKitchen();
    again.goOn();
    const next = await productions.open(again.recipe, 'c');
    expect((await readAll(next)).equals(CONTENT)).toBe(true);
    for (const opened of [product, other, next]) opened.close();
  });

  it.each([CONTENT.length + 1, CONTENT.length - 1])(
    'takes an output for a failure that should have %d bytes',
    async (lengthBytes) => {
      const { productions, files } = await open();
      const kitchen = openKitchen('key', lengthBytes);
      const product = await productions.open(kitchen.recipe, 'a');
      const read = readAll(product, 0, CONTENT.length + 5);
      kitchen.goOn();
      await expect(read).rejects.toThrow('bytes came instead of');
      await product.whenOver;
      expect(product.isWhole).toBe(false);
      expect(await files.find('key')).toBeUndefined();
      product.close();
    },
  );

  it('takes no output at all for a failure', async () => {
    const { productions, files } = await open();
    const recipe = { key: 'key', produce: () => Promise.resolve() };
    const product = await productions.open(recipe, 'a');
    await expect(product.until(1, signal)).rejects.toThrow('0 bytes');
    expect(await files.find('key')).toBeUndefined();
    product.close();
  });

  it('delivers all the same what could not be kept', async () => {
    const { productions, notKept } = await open({
      find: () => Promise.reject(new Error('EIO')),
      create: () => Promise.reject(new Error('ENOSPC')),
    });
    const kitchen = openKitchen();
    kitchen.goOn();
    const product = await productions.open(kitchen.recipe, 'a');
    expect((await readAll(product)).equals(CONTENT)).toBe(true);
    await product.whenOver;
    expect(notKept).toEqual([new Error('ENOSPC')]);
    product.close();
  });

  it('makes it again for who comes late to what cannot be kept', async () => {
    const { productions } = await open({
      find: () => Promise.resolve(undefined),
      create: () => Promise.reject(new Error('ENOSPC')),
    });
    const chunk = patternedBytes(1_048_576);
    let started = 0;
    const recipe: Recipe = {
      key: 'long',
      async produce(append, stop) {
        started += 1;
        // more than is held in memory, and no end of it
        for (let mebibyte = 0; mebibyte < 20; mebibyte += 1) await append(chunk);
        await new Promise((_resolve, reject) => {
          stop.addEventListener('abort', reject);
        });
      },
    };
    const first = await productions.open(recipe, 'a');
    const read = buffer(first.read({ firstPos: 0, lastPos: 20 * chunk.length - 1 }, signal));
    expect((await read).length).toBe(20 * chunk.length);

    const late = await productions.open(recipe, 'b');
    const range = { firstPos: 0, lastPos: chunk.length - 1 };
    expect((await buffer(late.read(range, signal))).equals(chunk)).toBe(true);
    expect(started).toBe(2);
    first.close();
    late.close();
    await productions.close();
  });

  it('ends what is running when it is closed, and begins nothing any more', async () => {
    const folder = createTempFolder();
    const onTrouble = () => undefined;
    const { productions } = await open(
      await openDerivedFiles({ folder, maxBytes: 1e9, memory: createChunkMemory(), onTrouble }),
    );
    const kitchen = openKitchen();
    const product = await productions.open(kitchen.recipe, 'a');
    kitchen.goOn(290_000);
    const read = expect(readAll(product)).rejects.toMatchObject({ code: 'overloaded' });
    await product.until(290_000, signal);
    const left = await productions.open(openKitchen('other').recipe, 'a');
    await left.until(0, signal);
    left.close();
    await productions.close();
    // a process ends next: what is not removed now stays on the disk
    expect(readdirSync(folder)).toEqual([]);
    await read;
    expect(kitchen.running).toBe(0);
    await expect(productions.open(kitchen.recipe, 'a')).rejects.toMatchObject({
      code: 'overloaded',
    });
    product.close();
  });

  it('waits for the whole of what has no known length, however it grows', async () => {
    const { productions } = await open();
    const kitchen = openKitchen('key', null);
    const product = await productions.open(kitchen.recipe, 'a');
    expect(product.lengthBytes).toBeUndefined();
    const whole = product.until(Infinity, signal);
    const growing = setInterval(() => {
      kitchen.goOn(20_000 + (performance.now() % 1_000));
    }, 200);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    clearInterval(growing);
    kitchen.goOn();
    await whole;
    await product.whenOver;
    expect(product.lengthBytes).toBe(CONTENT.length);
    product.close();
  });

  it('says when a part would take more than 20 s', async () => {
    const { productions } = await open();
    const kitchen = openKitchen();
    const product = await productions.open(kitchen.recipe, 'a');
    let bytes = 0;
    const growing = setInterval(() => {
      kitchen.goOn((bytes += 200)); // 4 kB a second: 75 s
    }, 50);
    const startedAt = performance.now();
    await expect(product.until(CONTENT.length, signal)).rejects.toMatchObject({
      code: 'not_ready_yet',
    });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    // it is told to come back, and is not to wait for all of it again
    product.close();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(kitchen).toMatchObject({ running: 1, aborted: 0 });
    const again = await productions.open(kitchen.recipe, 'a');
    expect(kitchen.started).toBe(1);
    await again.until(5_000, signal);
    clearInterval(growing);
    again.close();
    await productions.close();
  });

  it('keeps it for who was told to come back no longer than they may take', async () => {
    const { productions } = await open();
    const kitchen = openKitchen();
    kitchen.goOn(10);
    const product = await productions.open(kitchen.recipe, 'a');
    await product.until(10, signal);
    jest.useFakeTimers();
    try {
      const late = expect(product.until(CONTENT.length, signal)).rejects.toMatchObject({
        code: 'not_ready_yet',
      });
      await jest.advanceTimersByTimeAsync(21_500);
      await late;
      product.close();
      await jest.advanceTimersByTimeAsync(9_000);
      expect(kitchen.running).toBe(1);
      await jest.advanceTimersByTimeAsync(1_000);
      expect(kitchen).toMatchObject({ running: 0, aborted: 1 });
    } finally {
      jest.useRealTimers();
    }
  });

  it('closes a kept file only after the read that is under way', async () => {
    const { productions } = await open();
    const kitchen = openKitchen();
    kitchen.goOn();
    const product = await productions.open(kitchen.recipe, 'a');
    await product.whenOver;
    product.close();
    for (let round = 0; round < 50; round += 1) {
      const kept = await productions.open(kitchen.recipe, 'a');
      const read = readAll(kept).then(
        (content) => content.equals(CONTENT),
        () => true, // broken off, never other bytes
      );
      setImmediate(() => {
        kept.close();
      });
      expect(await read).toBe(true);
    }
  });
});
