import { close, constants, fstat, open, type BigIntStats } from 'node:fs';
import { readlink, realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { promisify } from 'node:util';
import { isNativeError } from 'node:util/types';
import { AppError } from '../errors';

/** A FIFO without a writer must not hold the request; on files the flag changes nothing. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;
const OPEN_NO_LINK_FLAGS = OPEN_FLAGS | constants.O_NOFOLLOW;

/** Errors that say: under this name there is nothing we could play. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ENXIO', 'EISDIR', 'EINVAL']);

// bare descriptors: a FileHandle takes several promises more for each of these
const openDescriptor = promisify(open);
const statDescriptor = promisify(fstat);

/**
 * Closes a descriptor; its number may be another file's from then on.
 *
 * Never fails: what close says of a file that was only read, as on a mount whose program has died, changes
 * nothing. The descriptor is given back all the same.
 */
export function closeFile(fd: number): Promise<void> {
  return new Promise((resolve) => {
    close(fd, () => {
      resolve();
    });
  });
}

/**
 * Opens a file for reading; the caller must close it.
 *
 * @param isLinkFollowed whether the last name may be that of a symbolic link
 * @returns undefined when there is nothing we could play
 * @throws AppError `track_unavailable` for any other failure
 */
export async function openIfPresent(
  path: string,
  { isLinkFollowed }: { readonly isLinkFollowed: boolean },
): Promise<number | undefined> {
  try {
    return await openDescriptor(path, isLinkFollowed ? OPEN_FLAGS : OPEN_NO_LINK_FLAGS);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw unavailable(error);
  }
}

/** The state of an open file, to the nanosecond. */
export function statOpened(fd: number): Promise<BigIntStats> {
  return statDescriptor(fd, { bigint: true });
}

/**
 * Where the open file lies, links resolved; undefined outside the library. Symbolic links may lead
 * anywhere; what counts is where the file really is. The library is resolved each time: it may have
 * been mounted or linked anew.
 */
export async function resolveWithin(
  root: string,
  fd: number,
  path: string,
): Promise<string | undefined> {
  const [realPath, realRoot] = await Promise.all([resolveOpened(fd, path), realpath(root)]);
  return realPath.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep)
    ? realPath
    : undefined;
}

/**
 * Asked of the descriptor where the system can tell (Linux), so that nothing swapped in meanwhile is
 * taken for the file.
 */
async function resolveOpened(fd: number, path: string): Promise<string> {
  try {
    return await readlink(`/proc/self/fd/${fd}`);
  } catch {
    return realpath(path); // no such view on other systems
  }
}

/** Whether the error says that there is nothing we could play. */
export function isAbsence(error: unknown): boolean {
  return isNativeError(error) && 'code' in error && ABSENT.has(String(error.code));
}

/** What the client may know of a file that is there and cannot be read. */
export function unavailable(cause: unknown): AppError {
  return new AppError('track_unavailable', 'The track cannot be read now', { cause });
}
