import { type BigIntStats } from 'node:fs';

/** What tells one state of a file or folder from any other. */
export type FileState = Readonly<Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>>;

/** The state alone, where it is kept for long. */
export function stateOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): FileState {
  return { dev, ino, size, mtimeNs, ctimeNs };
}

/** Whether nothing was written in between, and nothing about the file or folder was changed. */
export function isSameState(a: FileState, b: FileState): boolean {
  return (
    a.dev === b.dev &&
    a.ino === b.ino &&
    a.size === b.size &&
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs
  );
}

/** More than the step in which any file system we know counts time (FAT: 2 s). */
const SETTLED_NS = 3_000_000_000n;

/**
 * Whether any later change is sure to show. A change within the same step of the file system's clock
 * as the one before leaves no trace, so what has just changed is not remembered.
 *
 * @param nowMs milliseconds since 1970, no later than the look that gave the state
 */
export function isSettled({ ctimeNs }: FileState, nowMs: number): boolean {
  return BigInt(Math.floor(nowMs)) * 1_000_000n - ctimeNs > SETTLED_NS;
}
