import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The installed ffmpeg, and how often it was started on tracks. */
export interface CountedFfmpeg {
  /** for `FFMPEG_PATH` */
  readonly path: string;
  runs(): number;
}

/** @param folder where it and its notes are kept */
export function createCountedFfmpeg(folder: string): CountedFfmpeg {
  const path = join(folder, 'ffmpeg');
  const notes = join(folder, 'runs');
  mkdirSync(notes);
  // an empty file is all that its limits let it write
  writeFileSync(
    path,
    `#!/bin/sh\ncase "$*" in *" -i "*) mktemp -p '${notes}' >/dev/null;; esac\nexec ffmpeg "$@"\n`,
  );
  chmodSync(path, 0o755);
  return { path, runs: () => readdirSync(notes).length };
}
