import { randomBytes } from 'node:crypto';
import { open, mkdir, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChunkMemory } from '../streaming/chunk-memory';
import { createDiskRoom, DRAFT_NAME, hasCode, KEPT_EXTENSION } from './disk-room';
import { createOpenedFile, type OpenedFile } from './opened-file';

/** Something made of a track, whole, and open for reading. */
export interface DerivedFile extends OpenedFile {
  readonly sizeBytes: number;
}

/** Something that is being made; nobody finds it before it is whole. */
export interface DerivedDraft {
  /** reads what was written, and is open until `commit()` or `discard()` */
  readonly handle: FileHandle;
  append(chunk: Uint8Array): Promise<void>;
  /** Makes it findable, with all that was appended; `handle` stays open until `discard()`. */
  commit(): Promise<void>;
  /** Ends it; what was not committed is gone. Safe to call twice, never fails. */
  discard(): Promise<void>;
}

/**
 * What was made of tracks, kept on disk within a bound. A full or broken disk costs only that: where the
 * disk fills up before the bound is reached, least recently used files make room.
 */
export interface DerivedFiles {
  /**
   * Opens what is kept; the caller must close it.
   *
   * @param key letters, digits, `_` and `-` only
   */
  find(key: string): Promise<DerivedFile | undefined>;
  /** @throws what the file system says */
  create(key: string): Promise<DerivedDraft>;
}

export interface DerivedFilesOptions {
  readonly folder: string;
  /** least recently used files go when there is more */
  readonly maxBytes: number;
  /** that small ranges are read into */
  readonly memory: ChunkMemory;
  /** told of failures to keep the bound or to open the folder; serving goes on */
  readonly onTrouble: (error: unknown) => void;
}

const KEY = /^[\w-]{1,128}$/;
/** Access is noted at most so often: a stream of ranges must not be a stream of writes. */
const NOTE_ACCESS_AFTER_MS = 60_000;

/** Opens the folder, and sweeps what a crash left in it. Several processes may share it. */
export async function openDerivedFiles(options: DerivedFilesOptions): Promise<DerivedFiles> {
  const { folder, maxBytes, memory, onTrouble } = options;
  const room = createDiskRoom({ folder, maxBytes, onTrouble });
  const pathOf = (name: string): string => join(folder, name);

  await makeFolder(folder)
    .then(() => removeOrphans(folder))
    .catch(onTrouble);

  return {
    async find(key) {
      const handle = await open(pathOf(keptName(key)), 'r').catch(() => undefined);
      if (!handle) return undefined;
      const release = room.hold(keptName(key));
      try {
        const { size, atimeMs, mtime } = await handle.stat();
        const now = Date.now();
        // mounts with relatime or noatime note no access by themselves
        if (now - atimeMs > NOTE_ACCESS_AFTER_MS) {
          await handle.utimes(new Date(now), mtime).catch(() => undefined);
        }
        const closeFd = (): Promise<void> => handle.close().finally(release);
        return { sizeBytes: size, ...createOpenedFile({ fd: handle.fd, memory, closeFd }) };
      } catch (error) {
        release();
        await handle.close();
        throw error;
      }
    },

    async create(key) {
      const kept = keptName(key);
      const name = `${key}.${process.pid}-${randomBytes(8).toString('hex')}.part`;
      const handle = await room.forWriting(() => openDraft(folder, name));
      const release = room.hold(kept);
      let sizeBytes = 0;
      let isCommitted = false;
      return {
        handle,
        async append(chunk) {
          for (let done = 0; done < chunk.length;) {
            const { bytesWritten } = await room.forWriting(() =>
              handle.write(chunk, done, null, sizeBytes),
            );
            done += bytesWritten;
            sizeBytes += bytesWritten;
          }
        },
        async commit() {
          await handle.sync();
          await rename(pathOf(name), pathOf(kept));
          isCommitted = true;
          void room.keepBound(sizeBytes);
        },
        discard: onceOnly(async () => {
          release();
          await handle.close().catch(onTrouble);
          if (!isCommitted) await rm(pathOf(name), { force: true }).catch(onTrouble);
        }),
      };
    },
  };
}

function makeFolder(folder: string): Promise<unknown> {
  return mkdir(folder, { recursive: true, mode: 0o700 });
}

/** Who empties the folder may remove it, too: it is made anew. */
async function openDraft(folder: string, name: string): Promise<FileHandle> {
  const create = (): Promise<FileHandle> => open(join(folder, name), 'wx+', 0o600);
  try {
    return await create();
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    await makeFolder(folder);
    return create();
  }
}

function keptName(key: string): string {
  if (!KEY.test(key)) throw new TypeError('not a key');
  return key + KEPT_EXTENSION;
}

function onceOnly(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}

/** Drafts of processes that are no more; our own number may have been another's before us. */
async function removeOrphans(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const owner = DRAFT_NAME.exec(name)?.[1];
    if (owner === undefined || (Number(owner) !== process.pid && isRunning(Number(owner))))
      continue;
    await rm(join(folder, name), { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // it is there, and another user's
    return hasCode(error, 'EPERM');
  }
}
