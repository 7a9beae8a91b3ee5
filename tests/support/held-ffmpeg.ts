import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTempFolder } from './temp-folder';

/** The real ffmpeg behind a gate, and a count of its runs. */
export interface HeldFfmpeg {
  /** for `FFMPEG_PATH` */
  readonly path: string;
  runs(): number;
  /** From now on runs stop after their first bytes. */
  hold(): void;
  /** Lets those that are held go on, and others begin freely. */
  release(): void;
}

export interface HeldFfmpegOptions {
  /** of a run that is held, so many bytes come first */
  readonly firstBytes: number;
  /** what is held drips, so many bytes each tenth of a second; otherwise nothing comes */
  readonly dripBytes?: number;
}

/** What is held for longer than this is let go, so that nothing outlives a test that failed. */
const MOST_WAITS = 300;

export function createHeldFfmpeg({ firstBytes, dripBytes = 0 }: HeldFfmpegOptions): HeldFfmpeg {
  const folder = createTempFolder();
  const real = execFileSync('which', ['ffmpeg'], { encoding: 'utf8' }).trim();
  const runs = join(folder, 'runs');
  const gate = join(folder, 'closed');
  const path = join(folder, 'ffmpeg');
  mkdirSync(runs);
  writeFileSync(
    path,
    `#!/bin/sh
case "$*" in *-version*|*-encoders*) exec ${real} "$@" ;; esac
mkdir ${runs}/$$ # it may not write files
[ -e ${gate} ] || exec ${real} "$@"
${real} "$@" | {
  head -c ${firstBytes}
  i=0
  while [ -e ${gate} ] && [ $i -lt ${MOST_WAITS} ]; do
    i=$((i + 1))
    head -c ${dripBytes}
    sleep 0.1
  done
  cat
}
`,
    { mode: 0o755 },
  );
  return {
    path,
    runs: () => readdirSync(runs).length,
    hold() {
      writeFileSync(gate, '');
    },
    release() {
      rmSync(gate, { force: true });
    },
  };
}
