import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { isNativeError } from 'node:util/types';

/** An ffmpeg that was found and said what it can do. */
export interface FfmpegProgram {
  readonly path: string;
  /** as it names itself: `5.1.9-0+deb12u1`; part of every cache key */
  readonly version: string;
  readonly encoders: ReadonlySet<string>;
  /** put before the program: what bounds it and ends it with us; empty where the system has none */
  readonly containment: readonly string[];
}

/** All that the program is told of ours: no secret is in it. */
export const FFMPEG_ENVIRONMENT: NodeJS.ProcessEnv = {
  PATH: process.env.PATH,
  LC_ALL: 'C',
  AV_LOG_FORCE_NOCOLOR: '1',
};

const runProgram = promisify(execFile);
/** It answers in 0.2 s, but not where a pod that starts is throttled; what needs it waits meanwhile. */
const PROBE_TIMEOUT_MS = 15_000;
const LARGEST_ANSWER_BYTES = 4_000_000;

/**
 * What no decoding of audio needs more of: memory, files, processes of our user are many already, so
 * their number is not bounded here. Core dumps would put a listener's track on the disk. Six hours of
 * processor time convert hundreds of hours; the wall clock, by the track's length, ends most before.
 */
const BOUNDS = ['--as=2147483648', '--cpu=21600', '--nofile=64', '--core=0', '--fsize=0'];

export interface FfmpegSearch {
  /** folders, as in PATH */
  readonly searchPath?: string | undefined;
  /** for an answer of a program, which may hang: all that needs one waits so long */
  readonly timeoutMs?: number;
}

/**
 * Finds ffmpeg: the one that is configured, else the first on PATH, else the one that
 * @ffmpeg-installer brings where it is installed (development only: it is old).
 *
 * @param configured `FFMPEG_PATH`; with it no other is tried
 * @returns undefined where there is none that runs: what needs it is then unavailable
 */
export async function findFfmpeg(
  configured: string | undefined,
  { searchPath = process.env.PATH, timeoutMs = PROBE_TIMEOUT_MS }: FfmpegSearch = {},
): Promise<FfmpegProgram | undefined> {
  const candidates =
    configured === undefined
      ? [await findOnPath('ffmpeg', searchPath), findInstalled()]
      : [configured];
  const containment = await findContainment(searchPath);
  for (const path of candidates) {
    if (path === undefined) continue;
    let answer = await probe(path, { containment, timeoutMs });
    // a sandbox may forbid to bound anything; audio is wanted all the same
    if (answer === 'fails') answer = await probe(path, { containment: [], timeoutMs });
    if (typeof answer === 'object') return answer;
  }
  return undefined;
}

interface Probe {
  readonly containment: readonly string[];
  readonly timeoutMs: number;
}

async function probe(
  path: string,
  { containment, timeoutMs }: Probe,
): Promise<FfmpegProgram | 'hangs' | 'fails'> {
  const [program, ...rest] = [...containment, path];
  const ask = async (option: string): Promise<string> => {
    const answer = await runProgram(program, [...rest, '-hide_banner', option], {
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: LARGEST_ANSWER_BYTES,
      env: FFMPEG_ENVIRONMENT,
    });
    return answer.stdout;
  };
  try {
    const [about, encoders] = await Promise.all([ask('-version'), ask('-encoders')]);
    const version = /^ffmpeg version (\S+)/m.exec(about)?.[1];
    if (version === undefined) return 'fails';
    return { path, version, encoders: parseEncoders(encoders), containment };
  } catch (error) {
    // not there, not executable, or not an ffmpeg: the caller says so
    return isKilled(error) ? 'hangs' : 'fails';
  }
}

function isKilled(error: unknown): boolean {
  return isNativeError(error) && 'killed' in error && error.killed === true;
}

/** Lines such as ` A....D libopus   libopus Opus (codec opus)`; a legend is above them. */
function parseEncoders(list: string): ReadonlySet<string> {
  return new Set([...list.matchAll(/^ A\S{5} (\w\S*)/gm)].map(([, name = '']) => name));
}

/** setpriv and prlimit are parts of util-linux, which every Debian has. */
async function findContainment(searchPath: string | undefined): Promise<readonly string[]> {
  const [setpriv, prlimit] = await Promise.all([
    findOnPath('setpriv', searchPath),
    findOnPath('prlimit', searchPath),
  ]);
  if (setpriv === undefined || prlimit === undefined) return [];
  return [setpriv, '--pdeathsig', 'KILL', prlimit, ...BOUNDS];
}

async function findOnPath(
  name: string,
  searchPath: string | undefined,
): Promise<string | undefined> {
  for (const folder of (searchPath ?? '').split(delimiter).filter((part) => part !== '')) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // not in this one
    }
  }
  return undefined;
}

function findInstalled(): string | undefined {
  try {
    // absent in production, and it throws where it has nothing for the system
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- an import would have to succeed
    return (require('@ffmpeg-installer/ffmpeg') as { readonly path: string }).path;
  } catch {
    return undefined;
  }
}
