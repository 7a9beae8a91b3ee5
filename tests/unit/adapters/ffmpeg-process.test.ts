import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import {
  runFfmpeg,
  type FfmpegPatience,
  type FfmpegRun,
} from '../../../src/adapters/ffmpeg/process';
import { FfmpegFailed } from '../../../src/adapters/ffmpeg/failure';
import { findFfmpeg } from '../../../src/adapters/ffmpeg/program';
import { childrenOf, readersBelow, writeFakeFfmpeg } from '../../support/fake-ffmpeg';
import { createTempFolder, removeTempFolders } from '../../support/temp-folder';
import { until } from '../../support/until';

const BRIEF: FfmpegPatience = { silenceMs: 400, graceMs: 200 };
const LONG: FfmpegPatience = { silenceMs: 15_000, graceMs: 200 };

let folder: string;
let track: number;
let containment: readonly string[];
let childrenBefore: ReadonlySet<number>;

beforeAll(async () => {
  folder = createTempFolder();
  writeFileSync(join(folder, 'track.mp3'), 'not much');
  track = openSync(join(folder, 'track.mp3'), 'r');
  const program = await findFfmpeg(writeFakeFfmpeg(folder, ''));
  containment = program!.containment;
});

beforeEach(() => {
  childrenBefore = new Set(childrenOf(process.pid).map(({ pid }) => pid));
});

afterEach(async () => {
  // no orphan, and no zombie
  await until(() => readersBelow(folder).length === 0, 'no process has the track open');
  expect(childrenOf(process.pid).filter(({ pid }) => !childrenBefore.has(pid))).toEqual([]);
});

afterAll(() => {
  closeSync(track);
  removeTempFolders();
});

interface Ran {
  readonly outputBytes: number;
  readonly stderr?: string;
  readonly failure?: FfmpegFailed;
  readonly tookMs: number;
}

async function run(
  body: string,
  {
    patience = BRIEF,
    path,
    ...rest
  }: Partial<FfmpegRun> & {
    readonly patience?: FfmpegPatience;
    readonly path?: string;
  } = {},
): Promise<Ran> {
  const startedAt = performance.now();
  let outputBytes = 0;
  const program = {
    path: path ?? writeFakeFfmpeg(folder, body),
    version: '9.9',
    encoders: new Set<string>(),
    containment,
  };
  const settings = {
    args: ['-i', 'x'],
    trackDescriptor: track,
    signal: new AbortController().signal,
    mostMs: 60_000,
    onOutput: (chunk: Buffer) => {
      outputBytes += chunk.length;
    },
    ...rest,
  };
  try {
    const stderr = await runFfmpeg(program, settings, patience);
    return { outputBytes, stderr, tookMs: performance.now() - startedAt };
  } catch (error) {
    if (!(error instanceof FfmpegFailed)) throw error;
    return { outputBytes, failure: error, tookMs: performance.now() - startedAt };
  }
}

/** With limits that no slow start of a program can exceed: time passes only when the test says so. */
async function withClock<T>(work: () => Promise<T>): Promise<T> {
  jest.useFakeTimers({
    doNotFake: ['Date', 'hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate'],
  });
  try {
    return await work();
  } finally {
    jest.useRealTimers();
  }
}

describe.each([['within bounds'], ['without setpriv and prlimit']])('runFfmpeg(), %s', (how) => {
  let found: readonly string[];

  beforeAll(() => {
    found = containment;
    if (how !== 'within bounds') containment = [];
    else expect(containment).not.toEqual([]);
  });

  afterAll(() => {
    containment = found;
  });

  it('gives all of the output, and what was said', async () => {
    const ran = await run('printf said >&2; head -c 3000000 /dev/zero', { patience: LONG });
    expect(ran).toMatchObject({ outputBytes: 3_000_000, stderr: 'said' });
  });

  it('runs with the bounds that the kernel holds', async () => {
    const { stderr = '' } = await run('cat /proc/$$/limits >&2', { patience: LONG });
    const bounds = [
      /^Max address space +2147483648 +2147483648 /m,
      /^Max cpu time +21600 +21600 /m,
      /^Max open files +64 +64 /m,
      /^Max core file size +0 +0 /m,
      /^Max file size +0 +0 /m,
    ].map((bound) => bound.test(stderr));
    expect(bounds).toEqual(bounds.map(() => how === 'within bounds'));
  });

  it.each<[string, string, Partial<FfmpegFailed>]>([
    ['says nothing', 'sleep 1000', { reason: 'silent', outputBytes: 0 }],
    [
      'ignores TERM',
      `trap '' TERM; while :; do sleep 1; done`,
      { reason: 'silent', outputBytes: 0 },
    ],
    ['is stopped', 'kill -STOP $$', { reason: 'silent', outputBytes: 0 }],
    ['closes its output and stays', 'exec 1>&-; sleep 1000', { reason: 'silent' }],
    ['dies half-way', 'head -c 1000000 /dev/zero; exit 1', { reason: 'exit', outputBytes: 1e6 }],
    [
      'takes a read that failed for the end',
      'printf 1234; echo "file:/dev/fd/3: Input/output error" >&2',
      { reason: 'unreadable', outputBytes: 4 },
    ],
    [
      'finds no head because a read failed',
      'echo "file:/dev/fd/3: Stale file handle" >&2; exit 1',
      { reason: 'unreadable', outputBytes: 0 },
    ],
    ['crashes', 'printf 123; kill -SEGV $$', { reason: 'killed', outputBytes: 3 }],
    ['is killed by somebody', 'kill -KILL $$', { reason: 'killed', outputBytes: 0 }],
  ])('fails when the program %s', async (_what, body, failure) => {
    const patience = failure.reason === 'silent' ? BRIEF : LONG;
    const ran = await run(body, { patience });
    expect(ran.failure).toMatchObject(failure);
    expect(ran.tookMs).toBeLessThan(10_000);
  });

  it('fails when the program stops in the middle', async () => {
    const ran = await withClock(() =>
      run('printf 12345; sleep 1000', {
        onOutput: () => {
          setImmediate(() => {
            jest.advanceTimersByTime(BRIEF.silenceMs);
          });
        },
      }),
    );
    expect(ran.failure).toMatchObject({ reason: 'silent', outputBytes: 5 });
  });

  it('is over with a program whose child holds the output', async () => {
    const ran = await run('printf 1234; sleep 1000 & exit 0', { patience: LONG });
    expect(ran.failure).toBeUndefined();
    expect(ran.outputBytes).toBe(4);
    expect(ran.tookMs).toBeLessThan(10_000);
  });

  it('leaves it to the caller that nothing came', async () => {
    expect(await run('exit 0', { patience: LONG })).toMatchObject({ outputBytes: 0, stderr: '' });
  });

  it.each([
    ['is not there', () => join(folder, 'nothing')],
    ['must not be executed', () => join(folder, 'track.mp3')],
    ['is a folder', () => folder],
  ])('is told that nothing was started when the program %s', async (_what, path) => {
    const ran = await run('', { path: path(), patience: LONG });
    expect(ran.failure).toMatchObject({ reason: 'not-started', outputBytes: 0 });
  });

  it('keeps the end of 400 MB of complaints, in little memory', async () => {
    const before = process.memoryUsage().rss;
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
    const body = `yes complaint | head -c 400000000 >&2; echo the end >&2; printf done`;
    const ran = await run(body, { patience: { silenceMs: 60_000, graceMs: 200 } });
    clearInterval(watch);
    expect(ran.outputBytes).toBe(4);
    expect(ran.stderr).toHaveLength(4_000 - 1); // and the end of its last line
    expect(ran.stderr).toMatch(/complaint\nthe end$/);
    expect(most - before).toBeLessThan(150_000_000);
  });
});

describe('runFfmpeg()', () => {
  it('is told at once that its descriptor is no track', async () => {
    const ran = await run('printf 1', { trackDescriptor: 987_654 });
    expect(ran.failure).toMatchObject({ reason: 'not-started' });
  });

  it('ends what takes too long, however much it says', async () => {
    const ran = await run('while :; do printf 1; sleep 0.02; done', {
      mostMs: 400,
      patience: LONG,
    });
    expect(ran.failure).toMatchObject({ reason: 'overtime' });
  });

  it('fails with what the consumer failed with', async () => {
    const cause = new Error('no more');
    const ran = await run('yes', { onOutput: () => Promise.reject(cause), patience: LONG });
    expect(ran.failure).toMatchObject({ reason: 'consumer', cause });
  });

  it('takes a pause of the consumer for no silence', async () => {
    const ran = await withClock(() =>
      run('printf 1234', {
        onOutput: async () => {
          await nextTurn(); // it pauses when it has the promise
          jest.advanceTimersByTime(BRIEF.silenceMs * 3);
        },
      }),
    );
    expect(ran.failure).toBeUndefined();
    expect(ran.stderr).toBe('');
  });

  it('does nothing any more after it was aborted in a pause of the consumer', async () => {
    const controller = new AbortController();
    let goOn: () => void = () => undefined;
    const pause = new Promise<void>((resolve) => (goOn = resolve));
    const ran = await run('yes', {
      signal: controller.signal,
      onOutput: () => {
        setImmediate(() => {
          controller.abort();
        });
        return pause;
      },
    });
    expect(ran.failure).toMatchObject({ reason: 'aborted' });

    const kill = jest.spyOn(process, 'kill');
    goOn();
    await delay(BRIEF.silenceMs + BRIEF.graceMs + 200);
    expect(kill).not.toHaveBeenCalled();
    kill.mockRestore();
  });

  it('starts nothing for a signal that is aborted before', async () => {
    const mark = join(folder, 'was-started');
    const ran = await run(`touch ${mark}`, { signal: AbortSignal.abort() });
    expect(ran.failure).toMatchObject({ reason: 'aborted' });
    await delay(200);
    expect(existsSync(mark)).toBe(false);
  });

  it('leaves no process behind, whenever it is aborted', async () => {
    const work = 'printf 1; sleep 0.02; printf 2; sleep 0.02; printf 3';
    // some end by themselves in that moment, others never would
    const paths = ['', '; sleep 1000'].map((end) => writeFakeFfmpeg(folder, work + end));
    for (let round = 0; round < 6; round += 1) {
      const runs = Array.from({ length: 8 }, async (_, index) => {
        const controller = new AbortController();
        const { signal } = controller;
        const path = paths[index % 2];
        const running = run('', { ...(path && { path }), signal, patience: LONG });
        const abortAfterMs = (round * 8 + index) * 2;
        if (abortAfterMs > 0) await delay(abortAfterMs);
        controller.abort();
        return running;
      });
      for (const { failure } of await Promise.all(runs)) {
        if (failure) expect(failure.reason).toBe('aborted');
      }
      // what a program had started is killed with it, but dies only when it gets its turn
      await until(() => readersBelow(folder).length === 0, 'no process has the track open');
      expect(childrenOf(process.pid).filter(({ pid }) => !childrenBefore.has(pid))).toEqual([]);
    }
  });

  it('gives the program bounds, no secret, and nothing open but its track', async () => {
    process.env.JWT_SECRET = 'a secret of ours';
    const seen: Buffer[] = [];
    const secret = openSync(join(folder, 'track.mp3'), 'r');
    const ran = await run('cat /proc/$$/limits; env; ls -l /proc/$$/fd', {
      patience: LONG,
      onOutput: (chunk) => void seen.push(chunk),
    });
    closeSync(secret);
    delete process.env.JWT_SECRET;
    expect(ran.failure).toBeUndefined();
    const text = Buffer.concat(seen).toString();
    expect(text).toMatch(/Max file size +0 +0/);
    expect(text).toMatch(/Max address space +2147483648 +2147483648/);
    expect(text).toMatch(/Max open files +64 +64/);
    expect(text).toMatch(/Max core file size +0 +0/);
    expect([...text.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name).sort()).toEqual(
      ['AV_LOG_FORCE_NOCOLOR', 'LC_ALL', 'PATH', 'PWD'], // the shell's own is PWD
    );
    const descriptors = [...text.matchAll(/ (\d+) -> (.*)$/gm)].map(([, fd, to]) => [fd, to]);
    // a test runner may have descriptors of its own that everything inherits
    const ours = descriptors.filter(([fd, to]) => fd !== '3' && to!.endsWith('track.mp3'));
    expect(ours).toEqual([]);
    expect(descriptors).toContainEqual(['3', join(folder, 'track.mp3')]);
  });
});
