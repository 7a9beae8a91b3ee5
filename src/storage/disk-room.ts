import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isNativeError } from 'node:util/types';

/** Nothing else in the folder is ever removed: it may be one that was named by mistake. */
export const KEPT_EXTENSION = '.derived';
const KEPT_NAME = /^[\w-]{1,128}\.derived$/;
/**
 * `<key>.<process>-<random>.part`: whose it is can be told after a crash. Processes of two containers
 * may have one number, and must never rename each other's.
 */
export const DRAFT_NAME = /^[\w-]{1,128}\.(\d+)-[\da-f]+\.part$/;

/** A folder is read again when so much of its bound was written since. */
const SHARE_BEFORE_LOOKING = 0.05;
/** Down to here, so that not each new file costs a listing. */
const SHARE_KEPT = 0.9;

/** Room for what is kept in a folder: within a bound, and on a disk that may fill up before. */
export interface DiskRoom {
  /** Keeps a file for as long as it is in use. @returns ends that */
  hold(name: string): () => void;
  /** Takes what was used least recently when there is too much; never fails. */
  keepBound(newBytes: number): Promise<void>;
  /** Writes, and where the disk is full makes room and tries again. @throws what the file system says */
  forWriting<Result>(write: () => Promise<Result>): Promise<Result>;
}

export interface DiskRoomOptions {
  readonly folder: string;
  readonly maxBytes: number;
  readonly onTrouble: (error: unknown) => void;
}

export function createDiskRoom({ folder, maxBytes, onTrouble }: DiskRoomOptions): DiskRoom {
  const inUse = new Map<string, number>();
  let writtenBytes = Infinity; // look once, at the first file
  let sweeping: Promise<void> | undefined;
  let makingRoom: Promise<number> | undefined;

  const share = (bytes: number): number => (bytes <= maxBytes ? bytes : maxBytes * SHARE_KEPT);
  const isDue = (): boolean => writtenBytes >= maxBytes * SHARE_BEFORE_LOOKING;
  const sweep = async (): Promise<void> => {
    do {
      writtenBytes = 0;
      await evict(folder, inUse, share).catch(onTrouble);
      // what came meanwhile may not have been seen
    } while (isDue());
    sweeping = undefined;
  };

  return {
    hold(name) {
      inUse.set(name, (inUse.get(name) ?? 0) + 1);
      return () => {
        const users = (inUse.get(name) ?? 1) - 1;
        if (users > 0) inUse.set(name, users);
        else inUse.delete(name);
      };
    },

    async keepBound(newBytes) {
      writtenBytes += newBytes;
      if (isDue()) sweeping ??= sweep();
      await sweeping;
    },

    async forWriting(write) {
      try {
        return await write();
      } catch (error) {
        if (!hasCode(error, 'ENOSPC') && !hasCode(error, 'EDQUOT')) throw error;
        makingRoom ??= evict(folder, inUse, (bytes) => bytes * SHARE_KEPT).finally(
          () => (makingRoom = undefined),
        );
        if ((await makingRoom) === 0) throw error;
        return write();
      }
    },
  };
}

/**
 * @param share what may stay of so many bytes
 * @returns bytes that went
 */
async function evict(
  folder: string,
  inUse: ReadonlyMap<string, number>,
  share: (totalBytes: number) => number,
): Promise<number> {
  const files: { readonly name: string; readonly bytes: number; readonly usedMs: number }[] = [];
  for (const name of await readdir(folder)) {
    if (!KEPT_NAME.test(name) && !DRAFT_NAME.test(name)) continue;
    const stats = await stat(join(folder, name)).catch(() => undefined);
    if (stats?.isFile()) {
      files.push({ name, bytes: stats.size, usedMs: Math.max(stats.atimeMs, stats.mtimeMs) });
    }
  }
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const surplusBytes = totalBytes - share(totalBytes);
  let goneBytes = 0;
  for (const { name, bytes } of files.sort((a, b) => a.usedMs - b.usedMs)) {
    if (goneBytes >= surplusBytes) break;
    if (!KEPT_NAME.test(name) || inUse.has(name)) continue;
    await rm(join(folder, name), { force: true });
    goneBytes += bytes;
  }
  return goneBytes;
}

/** Whether it is what the system says, by its name such as `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return isNativeError(error) && 'code' in error && error.code === code;
}
