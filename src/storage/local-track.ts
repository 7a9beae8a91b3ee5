import { type BigIntStats } from 'node:fs';
import { basename, extname } from 'node:path';
import { type ChunkMemory } from '../streaming/chunk-memory';
import { closeFile, statOpened } from './file-calls';
import { isSameState, type FileState } from './file-state';
import { createOpenedFile } from './opened-file';
import { type OpenedTrack } from './track-store';

export interface LocalFile {
  /** descriptor, open for reading; closed by `close()` of the track alone */
  readonly fd: number;
  readonly path: string;
  readonly stats: BigIntStats;
  /** whether the track is still the file in this state */
  readonly isCurrent: (stats: BigIntStats) => Promise<boolean>;
  readonly memory: ChunkMemory;
  /** where it is remembered */
  readonly state: FileState | undefined;
  readonly openBeside?: NonNullable<OpenedTrack['openBeside']>;
}

/** A file as a track. The descriptor is ours. */
export function openLocalTrack(file: LocalFile): OpenedTrack {
  const { fd, path, stats, isCurrent, memory, state, openBeside } = file;
  return {
    fileName: basename(path),
    extension: extname(path).slice(1).toLowerCase(),
    sizeBytes: Number(stats.size),
    mtimeNs: stats.mtimeNs,
    descriptor: fd,
    ...(state ? { state } : {}),
    ...(openBeside ? { openBeside } : {}),

    ...createOpenedFile({ fd, memory, closeFd: () => closeFile(fd) }),
    isCurrent: () => isCurrent(stats),
    isUnchanged: async () => isSameState(await statOpened(fd), stats),
  };
}
