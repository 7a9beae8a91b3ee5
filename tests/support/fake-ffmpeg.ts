import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ENCODERS = ['libmp3lame', 'aac', 'libopus', 'flac', 'pcm_s16le', 'pcm_s24le'];

/**
 * A shell script that says it is an ffmpeg, and misbehaves when it is to make something.
 *
 * @returns its path
 */
export function writeFakeFfmpeg(folder: string, body: string, version = '9.9-fake'): string {
  const path = join(folder, `ffmpeg-${Math.random().toString(36).slice(2)}`);
  const encoders = ENCODERS.map((name) => ` A....D ${name} anything`).join('\n');
  const script = `#!/bin/sh
case "$*" in
  *-version*) echo 'ffmpeg version ${version} Copyright'; exit 0 ;;
  *-encoders*) cat <<'LIST'
${encoders}
LIST
  exit 0 ;;
esac
${body}
`;
  writeFileSync(path, script, { mode: 0o755 });
  return path;
}

export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  /** R, S, D, T, Z as in /proc/<pid>/stat */
  readonly state: string;
  readonly command: string;
}

/** All processes that there are; Linux only. */
export function listProcesses(): readonly SeenProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)));
}

/** Children of a process in whatever state, the dead that nobody has asked for included. */
export function childrenOf(pid: number): readonly SeenProcess[] {
  // not by a look at all processes: some tests ask two hundred times a second
  return threadsOf(pid).flatMap((thread) => {
    const children = readIfThere(`/proc/${pid}/task/${thread}/children`) ?? '';
    return [...children.matchAll(/\d+/g)].flatMap(([child]) => readProcess(Number(child)));
  });
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // it has ended meanwhile
  }
}

/** Nothing when it has ended meanwhile. */
function readProcess(pid: number): readonly SeenProcess[] {
  const stat = readIfThere(`/proc/${pid}/stat`);
  const command = readIfThere(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ');
  if (stat === undefined || command === undefined) return [];
  const [, state = '', parent = ''] = /^\d+ \(.*\) (\S) (\d+) /s.exec(stat) ?? [];
  return [{ pid, parent: Number(parent), state, command }];
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

/** Processes but this one that have a file below the folder open as descriptor 3, as ffmpeg has its track. */
export function readersBelow(folder: string): readonly SeenProcess[] {
  return listProcesses().filter(({ pid }) => {
    if (pid === process.pid) return false;
    try {
      return readlinkSync(`/proc/${pid}/fd/3`).startsWith(folder);
    } catch {
      return false;
    }
  });
}
