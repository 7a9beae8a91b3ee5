import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type Page } from 'playwright-core';
import { ffmpeg } from '../support/audio-files';
import { itInChromium, launchChromium } from '../support/chromium';
import { startPageServer, type PageServer } from '../support/page-server';
import { startService, stopServices, type ServiceProcess } from '../support/service-process';
import { signToken } from '../support/sign-token';
import { SWEEPS } from '../support/sounds';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const SECONDS = 31.4321;
const TIMEOUT_MS = 60_000;
const STEP_TIMEOUT_MS = 20_000;

/** Tells what went wrong in lists that the test reads. */
const PAGE = `<!doctype html>
<title>hls.js</title>
<script src="/hls.js"></script>
<audio id="audio"></audio>
<script>
  const audio = document.getElementById('audio');
  const seen = { errors: [], levels: 0 };
  audio.addEventListener('error', () => seen.errors.push(audio.error.message));
  function play(url, token, config) {
    const hls = new Hls({
      ...config,
      xhrSetup: (xhr) => xhr.setRequestHeader('Authorization', 'Bearer ' + token),
    });
    hls.on(Hls.Events.ERROR, (_, { type, details, fatal }) => seen.errors.push({ type, details, fatal }));
    hls.on(Hls.Events.MANIFEST_PARSED, (_, { levels }) => (seen.levels = levels.length));
    hls.loadSource(url);
    hls.attachMedia(audio);
    audio.play().catch((error) => seen.errors.push(error.message));
  }
  function state() {
    const ranges = Array.from({ length: audio.buffered.length }, (_, i) => [
      audio.buffered.start(i),
      audio.buffered.end(i),
    ]);
    const { currentTime, duration, ended } = audio;
    return { ...seen, ranges, currentTime, duration, ended };
  }
</script>`;

interface State {
  readonly errors: readonly unknown[];
  readonly levels: number;
  /** buffered, in seconds */
  readonly ranges: readonly (readonly [number, number])[];
  readonly currentTime: number;
  readonly duration: number;
  readonly ended: boolean;
}

const library = createTempFolder();
let service: ServiceProcess;
let pages: PageServer;
let browser: Browser | undefined;
let page: Page;

beforeAll(async () => {
  const input = ['-f', 'lavfi', '-i', `${SWEEPS}:s=44100:d=${SECONDS}`];
  await ffmpeg([...input, join(library, 'song.flac')]);
  await ffmpeg([
    ...input,
    '-c:a',
    'libopus',
    '-b:a',
    '80k',
    '-vbr',
    'off',
    join(library, 'opus.opus'),
  ]);
  service = await startService({ AUDIO_FILES_DIR: library, CACHE_DIR: createTempFolder() });
  const script = readFileSync(require.resolve('hls.js/dist/hls.min.js'));
  pages = await startPageServer((req, res) => {
    const isScript = req.url === '/hls.js';
    res.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
    res.end(isScript ? script : PAGE);
  });
  browser = await launchChromium();
}, TIMEOUT_MS);

afterAll(async () => {
  await browser?.close();
  pages.close();
  await stopServices();
  removeTempFolders();
}, TIMEOUT_MS);

beforeEach(async () => {
  if (!browser) return;
  page = await browser.newPage();
  page.setDefaultTimeout(STEP_TIMEOUT_MS);
  await page.goto(pages.origin);
});
afterEach(async () => {
  if (browser) await page.close();
});

/** Starts to play; another origin than the page's, so that CORS is part of it. */
async function play(id: string, config: object = {}, token = signToken()): Promise<void> {
  const url = `http://127.0.0.1:${service.port}/api/stream/${id}/hls/master.m3u8`;
  await page.evaluate(`play(...${JSON.stringify([url, token, config])})`);
}

function readState(): Promise<State> {
  return page.evaluate<State>('state()');
}

/** Waits until the expression is true in the page. */
async function until(expression: string): Promise<void> {
  await page.waitForFunction(expression).catch(async (error: unknown) => {
    throw new Error(`not ${expression}: ${JSON.stringify(await readState())}`, { cause: error });
  });
}

function isLate(error: unknown): boolean {
  return JSON.stringify(error).includes('bufferStalledError');
}

describe('hls.js in Chromium', () => {
  itInChromium.each([
    ['song', 3],
    ['opus', 1],
  ])(
    'plays %s across joins, jumps, and plays to the end without a hole',
    async (id, levels) => {
      // so little ahead that a jump leaves what is there
      await play(id, { maxBufferLength: 8 });
      await until('audio.currentTime > 7'); // the first join is at 5.99 s
      const { errors, ranges, duration } = await readState();
      expect(errors).toEqual([]);
      expect(ranges).toHaveLength(1);
      expect(Math.abs(duration - SECONDS)).toBeLessThan(0.05);

      await page.evaluate(`audio.currentTime = ${SECONDS * 0.66}`);
      await until(`audio.currentTime > ${SECONDS * 0.66 + 1}`);
      await page.evaluate('audio.playbackRate = 4');
      await until('audio.ended');

      await page.evaluate('void (audio.currentTime = 0, audio.play())');
      await until('!audio.ended && audio.currentTime < 5');
      await until('audio.ended');
      const end = await readState();
      // at four times the speed a busy machine may be late
      expect(end.errors.filter((error) => !isLate(error))).toEqual([]);
      expect(end.levels).toBe(levels);
      expect(end.ranges).toHaveLength(1);
      const [[start, stop]] = end.ranges as [[number, number]];
      expect(start).toBeLessThan(0.03);
      // what fills the last frame may be played behind the end, and no more
      expect(Math.abs(stop - SECONDS)).toBeLessThan(0.03);
    },
    TIMEOUT_MS,
  );

  itInChromium('begins in the middle', async () => {
    await play('song', { startPosition: 20 });
    await until('audio.currentTime > 20.5');
    const { ranges, errors } = await readState();
    expect(errors).toEqual([]);
    expect(ranges).toHaveLength(1);
    // where the segment begins that has this place; a frame of delay may be put before or behind
    expect(Math.abs(ranges[0]![0] - (3 * 258 * 1024) / 44_100)).toBeLessThan(0.05);
  });

  itInChromium('says that it may not where the token is wrong', async () => {
    await play('song', {}, 'nonsense');
    await until('seen.errors.length > 0');
    expect((await readState()).errors[0]).toMatchObject({ details: 'manifestLoadError' });
  });
});
