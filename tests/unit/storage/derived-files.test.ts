import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { openDerivedFiles, type DerivedFiles } from '../../../src/storage/derived-files';
import { createChunkMemory } from '../../../src/streaming/chunk-memory';
import { patternedBytes } from '../../support/patterned-bytes';
import { createTempFolder, removeTempFolders } from '../../support/temp-folder';
import { until } from '../../support/until';

afterAll(removeTempFolders);

function openFolder(
  folder: string,
  maxBytes = 1e9,
  troubles: unknown[] = [],
): Promise<DerivedFiles> {
  const memory = createChunkMemory();
  return openDerivedFiles({ folder, maxBytes, memory, onTrouble: (error) => troubles.push(error) });
}

async function make(files: DerivedFiles, key: string, content: string | Buffer): Promise<void> {
  const draft = await files.create(key);
  await draft.append(Buffer.from(content));
  await draft.commit();
  await draft.discard();
}

async function readKept(files: DerivedFiles, key: string): Promise<string | undefined> {
  const file = await files.find(key);
  if (!file) return undefined;
  const content = await buffer(file.read({ firstPos: 0, lastPos: file.sizeBytes - 1 }));
  await file.close();
  await file.close();
  return content.toString();
}

/** A number that no process has any more. */
function deadPid(): number {
  return spawnSync('true').pid;
}

describe('openDerivedFiles()', () => {
  it('makes the folder anew when it was removed', async () => {
    const folder = join(createTempFolder(), 'cache');
    const troubles: unknown[] = [];
    const files = await openFolder(folder, 1e9, troubles);
    await make(files, 'before', 'a');
    rmSync(folder, { recursive: true });
    expect(await files.find('before')).toBeUndefined();
    await make(files, 'after', 'b');
    expect(await readKept(files, 'after')).toBe('b');
    expect(troubles).toEqual([]);
  });

  it('finds what was made, when it is whole', async () => {
    const files = await openFolder(join(createTempFolder(), 'a', 'b'));
    expect(await files.find('key')).toBeUndefined();
    const draft = await files.create('key');
    await draft.append(Buffer.from('some'));
    await draft.append(Buffer.from('thing'));
    const read = await draft.handle.read(Buffer.alloc(9), { position: 0 });
    expect(read.buffer.toString()).toBe('something');
    expect(await files.find('key')).toBeUndefined();
    await draft.commit();
    expect(await readKept(files, 'key')).toBe('something');
    await draft.discard();
    expect(await readKept(files, 'key')).toBe('something');
  });

  it('leaves nothing of what was not committed', async () => {
    const folder = createTempFolder();
    const files = await openFolder(folder);
    const draft = await files.create('key');
    await draft.append(Buffer.from('half'));
    await draft.discard();
    await draft.discard();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('lets several make the same, and keeps the whole of one', async () => {
    const folder = createTempFolder();
    const [one, other] = [await openFolder(folder), await openFolder(folder)];
    const drafts = [await one.create('key'), await other.create('key')];
    for (const draft of drafts) await draft.append(Buffer.from('the same'));
    for (const draft of drafts) await draft.commit();
    for (const draft of drafts) await draft.discard();
    expect(await readKept(one, 'key')).toBe('the same');
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it.each(['', '../x', 'a/b', 'a.derived', 'x'.repeat(129), 'a\0', 'ü'])(
    'takes %j for no key',
    async (key) => {
      const files = await openFolder(createTempFolder());
      await expect(files.find(key)).rejects.toThrow(TypeError);
      await expect(files.create(key)).rejects.toThrow(TypeError);
    },
  );

  it('sweeps drafts of processes that are no more and of its own number, and nothing else', async () => {
    const folder = createTempFolder();
    const stale = [`a.${deadPid()}-0a1b.part`, `b.${process.pid}-0a1b.part`];
    const others = [
      `c.${process.ppid}-0a1b.part`, // somebody else is at it
      'd.1-0a1b.part', // runs, whoever may signal it
      'e.derived',
      'README',
      'notes.part',
      'song.mp3.part',
    ];
    for (const name of [...stale, ...others]) writeFileSync(join(folder, name), 'x');
    mkdirSync(join(folder, 'folder'));
    await openFolder(folder);
    expect(readdirSync(folder).sort()).toEqual([...others, 'folder'].sort());
  });

  it('does not publish the half of another container that has its process number', async () => {
    const folder = createTempFolder();
    const files = await openFolder(folder);
    const draft = await files.create('key');
    await draft.append(Buffer.from('whole'));
    const again = await openFolder(folder); // its sweep takes the draft for a dead one's
    const half = await again.create('key');
    await half.append(Buffer.from('ha'));
    await expect(draft.commit()).rejects.toMatchObject({ code: 'ENOENT' });
    await draft.discard();
    expect(await files.find('key')).toBeUndefined();
    await half.discard();
  });
});

describe('the bound of derived files', () => {
  const CONTENT = Buffer.alloc(100);

  /** Files of 100 bytes, each used a minute after the one before. */
  async function fill(files: DerivedFiles, folder: string, keys: readonly string[]): Promise<void> {
    for (const [index, key] of keys.entries()) {
      await make(files, key, CONTENT);
      const at = new Date(Date.now() - (100 - index) * 60_000);
      utimesSync(join(folder, `${key}.derived`), at, at);
    }
  }

  const names = (folder: string): string[] =>
    readdirSync(folder)
      .map((name) => name.replace('.derived', ''))
      .sort();

  it('takes those first whose last use is longest ago', async () => {
    const folder = createTempFolder();
    const files = await openFolder(folder, 1_000);
    await fill(files, folder, ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']);
    expect(await readKept(files, 'a')).toBeDefined(); // used now
    await make(files, 'k', CONTENT);
    await until(() => names(folder).length <= 9, 'there is room again');
    expect(names(folder)).toEqual(['a', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k']);
  });

  it('never takes what is being read or made', async () => {
    const folder = createTempFolder();
    const files = await openFolder(folder, 300);
    await fill(files, folder, ['a', 'b', 'c']);
    const read = await files.find('a');
    const at = new Date(Date.now() - 1e8);
    utimesSync(join(folder, 'a.derived'), at, at);
    const draft = await files.create('made');
    await draft.append(Buffer.alloc(250));
    await make(files, 'd', CONTENT);
    await until(() => !names(folder).includes('c'), 'the others are gone');
    expect(names(folder)).toContain('a');
    await draft.commit();
    await draft.discard();
    expect(await readKept(files, 'made')).toBeDefined();
    await read!.close();
    await make(files, 'e', CONTENT);
    await until(() => !names(folder).includes('a'), 'what is not read any more goes');
  });

  it('looks again where something came while it looked', async () => {
    const folder = createTempFolder();
    const files = await openFolder(folder, 1_000);
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => make(files, key, CONTENT)));
    await until(() => names(folder).length <= 10, 'there is no more than the bound');
  });

  it('leaves a reader of another process its bytes', async () => {
    const folder = createTempFolder();
    const [one, other] = [await openFolder(folder, 250), await openFolder(folder, 250)];
    await make(one, 'a', Buffer.alloc(100, 'a'));
    const file = await other.find('a');
    await make(one, 'b', CONTENT);
    await make(one, 'c', CONTENT);
    await until(() => !names(folder).includes('a'), 'it is gone');
    const content = await buffer(file!.read({ firstPos: 0, lastPos: 99 }));
    expect(content.toString()).toBe('a'.repeat(100));
    await file!.close();
  });

  it('reads into the memory of its reader, or at once, and ends its reads when it is closed', async () => {
    const files = await openFolder(createTempFolder());
    const content = patternedBytes(300_000);
    await make(files, 'a', content);
    const file = (await files.find('a'))!;
    const lent: Buffer[] = [];
    const lend = (): Promise<Buffer> => Promise.resolve(lent[lent.push(Buffer.alloc(50_000)) - 1]!);
    const range = { firstPos: 7, lastPos: 199_999 };
    const read = await buffer(file.read(range, undefined, lend));
    expect(read.equals(content.subarray(7, 200_000))).toBe(true);
    expect(Buffer.concat(lent).subarray(0, read.length).equals(read)).toBe(true);

    const end = await file.readAtOnce({ firstPos: 299_990, lastPos: 299_999 });
    expect(Buffer.concat(end.pieces).equals(content.subarray(299_990))).toBe(true);
    end.release();

    const late = file.readAtOnce({ firstPos: 0, lastPos: 99_999 });
    const stream = file.read({ firstPos: 0, lastPos: 299_999 });
    await file.close();
    expect(Buffer.concat((await late).pieces).equals(content.subarray(0, 100_000))).toBe(true);
    expect(stream.destroyed).toBe(true);
    expect(() => file.read(range)).toThrow('closed');
    expect(() => file.readAtOnce(range)).toThrow('closed');
  });

  it('neither counts nor removes files that are not its own', async () => {
    const folder = createTempFolder();
    for (const name of ['LICENSE', 'Dockerfile', 'song.mp3', 'x.derived.bak']) {
      writeFileSync(join(folder, name), Buffer.alloc(5_000));
    }
    const files = await openFolder(folder, 300);
    for (const key of ['a', 'b', 'c']) await make(files, key, CONTENT);
    await make(files, 'd', CONTENT);
    await until(() => !existsSync(join(folder, 'a.derived')), 'the bound is kept');
    for (const name of ['LICENSE', 'Dockerfile', 'song.mp3', 'x.derived.bak']) {
      expect(readFileSync(join(folder, name))).toHaveLength(5_000);
    }
    expect(await readKept(files, 'd')).toBeDefined();
  });

  it('is kept again when it was lowered', async () => {
    const folder = createTempFolder();
    const before = await openFolder(folder, 10_000);
    await fill(before, folder, ['a', 'b', 'c', 'd', 'e']);
    await make(await openFolder(folder, 200), 'f', CONTENT);
    await until(() => names(folder).length === 1, 'only the newest is left');
    expect(names(folder)).toEqual(['f']);
  });
});

describe('a disk that is full', () => {
  /** No more than so many bytes fit into the folder; a file takes what still does. */
  async function limitDisk(folder: string, mostBytes: number): Promise<void> {
    const probe = await open(__filename);
    const prototype = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the handle below
    const write = prototype.write as unknown as (...args: unknown[]) => Promise<unknown>;
    jest.spyOn(prototype, 'write').mockImplementation(async function (
      this: FileHandle,
      ...[chunk, offset, length, position]: unknown[]
    ) {
      const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
      const room = mostBytes - sizes.reduce((sum, size) => sum + size, 0);
      if (room <= 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      const wanted = (length as number | null) ?? (chunk as Buffer).length - (offset as number);
      return write.call(this, chunk, offset, Math.min(wanted, room), position);
    } as FileHandle['write']);
  }

  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('gets room from what was used longest ago', async () => {
    const folder = createTempFolder();
    const files = await openFolder(folder);
    for (const [index, key] of ['a', 'b', 'c'].entries()) {
      await make(files, key, Buffer.alloc(100));
      const at = new Date(Date.now() - (10 - index) * 60_000);
      utimesSync(join(folder, `${key}.derived`), at, at);
    }
    await limitDisk(folder, 350);
    const content = patternedBytes(220);
    await make(files, 'd', content);
    expect(await readKept(files, 'd')).toBe(content.toString());
    expect(readdirSync(folder).sort()).toEqual(['c.derived', 'd.derived']);
  });

  it('fails when nothing can go, and takes nothing that is read', async () => {
    const folder = createTempFolder();
    const files = await openFolder(folder);
    await make(files, 'a', Buffer.alloc(100));
    const read = (await files.find('a'))!;
    await limitDisk(folder, 150);
    const draft = await files.create('b');
    await expect(draft.append(Buffer.alloc(100))).rejects.toMatchObject({ code: 'ENOSPC' });
    await draft.discard();
    await read.close();
    expect(readdirSync(folder)).toEqual(['a.derived']);
  });
});

describe('a folder that fails', () => {
  it('costs only the cache', async () => {
    const folder = join(createTempFolder(), 'cache');
    writeFileSync(folder, 'no folder');
    const troubles: unknown[] = [];
    const files = await openFolder(folder, 1_000, troubles);
    expect(troubles).toHaveLength(1);
    expect(await files.find('key')).toBeUndefined();
    await expect(files.create('key')).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it('says so when it was removed while the service runs', async () => {
    const folder = createTempFolder();
    const files = await openFolder(folder);
    const draft = await files.create('key');
    await draft.append(Buffer.from('x'));
    rmSync(folder, { recursive: true });
    await expect(draft.commit()).rejects.toMatchObject({ code: 'ENOENT' });
    await draft.discard();
    expect(await files.find('key')).toBeUndefined();
  });
});
