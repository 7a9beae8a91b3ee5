import { join } from 'node:path';
import { type Browser, type Page } from 'puppeteer-core';
import { ffmpeg } from '../support/audio-files';
import { itInFirefox, launchFirefox } from '../support/firefox';
import { isMedia, startPlayerService, type PlayerService } from '../support/player-page';
import { signToken } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

const TIMEOUT_MS = 60_000;
const STEP_TIMEOUT_MS = 20_000;
/** Several steps, of which each may take as long as a test. */
const SET_UP_TIMEOUT_MS = 180_000;
/** Its clock runs fast here, as nothing is heard. */
const SECONDS = 1200;

const library = createTempFolder();
let service: PlayerService;
let browser: Browser | undefined;
let page: Page;

beforeAll(async () => {
  const part = join(createTempFolder(), 'part.mp3');
  await ffmpeg(['-f', 'lavfi', '-i', 'sine=330:d=60', '-b:a', '64k', part]);
  // encoded once: all of it takes a slow machine longer than a test may
  const input = ['-stream_loop', '-1', '-i', part, '-t', `${SECONDS}`, '-c', 'copy'];
  await ffmpeg([...input, '-metadata', 'title=Song', join(library, 'song.mp3')]);
  service = await startPlayerService({ AUDIO_FILES_DIR: library });
  browser = await launchFirefox();
}, SET_UP_TIMEOUT_MS);

afterAll(async () => {
  await browser?.close();
  await service.app.close();
  removeTempFolders();
}, TIMEOUT_MS);

async function untilPlayingFrom(seconds: number): Promise<void> {
  await until(
    async () =>
      Boolean(
        await page.evaluate(
          `!audio.paused && !audio.seeking && audio.currentTime > 0.05 && Number(seek.value) > ${seconds}`,
        ),
      ),
    `plays from ${seconds} s`,
    STEP_TIMEOUT_MS,
  );
}

describe('the player page in Firefox', () => {
  itInFirefox.each([
    ['grant', 'original'],
    ['worker', 'original'],
    ['grant', 'hls'],
  ])(
    'plays by %s in %s, and jumps',
    async (way, quality) => {
      page = await browser!.newPage();
      const problems: string[] = [];
      page.on('console', (message) => {
        if (message.type() === 'error') problems.push(message.text());
      });
      page.on('pageerror', (error) => {
        // what Firefox says of any Service Worker when an element lets go of what goes through it
        if (!String(error).includes('ServiceWorker intercepted')) problems.push(String(error));
      });
      try {
        await page.goto(`${service.origin}/#token=${signToken()}`);
        await page.waitForSelector('.track', { timeout: STEP_TIMEOUT_MS });
        await page.select('#way', way);
        await page.select('#quality', quality);
        await page.click('.track');
        await untilPlayingFrom(0.3);
        const before = service.requests.filter(isMedia).length;
        await page.evaluate(`
          seek.value = 0.66 * seek.max;
          seek.dispatchEvent(new Event('input'));
          seek.dispatchEvent(new Event('change'));
        `);
        await untilPlayingFrom(SECONDS * 0.66 + 0.3);
        expect(Number(await page.evaluate('seek.value'))).toBeLessThan(SECONDS * 0.9);
        const asked = service.requests.filter(isMedia).slice(before);
        // hls.js goes on to load what comes next
        if (quality !== 'hls') expect(asked.length).toBeLessThanOrEqual(2);
        expect(problems).toEqual([]);
      } finally {
        await page.close();
      }
    },
    TIMEOUT_MS,
  );
});
