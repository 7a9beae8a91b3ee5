import { join } from 'node:path';
import { ffmpeg } from '../support/audio-files';
import { itInChromium } from '../support/chromium';
import { startPageServer, type PageServer } from '../support/page-server';
import { isMedia, usePlayer } from '../support/player-page';
import { signToken } from '../support/sign-token';

const TIMEOUT_MS = 60_000;
const STEP_TIMEOUT_MS = 20_000;
const SECONDS = 150;

/** Of another site. */
let pages: PageServer;

const suite = usePlayer(async (library) => {
  const input = ['-f', 'lavfi', '-i', `sine=330:d=${SECONDS}`, '-ar', '48000', '-ac', '2'];
  // 29 MB, which no browser has loaded before the jump
  await ffmpeg([...input, join(library, 'song.wav')]);
});

beforeAll(async () => {
  pages = await startPageServer((req, res) => {
    const isIsolated = req.url === '/isolated';
    res.writeHead(200, {
      'Content-Type': 'text/html; charset=utf-8',
      ...(isIsolated ? { 'Cross-Origin-Embedder-Policy': 'require-corp' } : {}),
    });
    res.end('<!doctype html><title>another site</title><link rel="icon" href="data:,">');
  }, 'localhost');
});

afterAll(() => {
  pages.close();
});

async function beginPlayback(): Promise<string> {
  const answer = await fetch(`${suite.service.origin}/api/stream/song/playback`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${signToken()}` },
  });
  const { data } = (await answer.json()) as { data: { url: string } };
  return suite.service.origin + data.url;
}

describe('an audio element on another site, by the address of a playback', () => {
  itInChromium.each([
    ['without crossorigin', '/', ''],
    ['with crossorigin', '/', 'crossorigin'],
    ['under COEP, without crossorigin', '/isolated', ''],
    ['under COEP, with crossorigin', '/isolated', 'crossorigin'],
  ])(
    '%s: plays and jumps',
    async (_name, path, attribute) => {
      const page = await suite.browser.newPage();
      page.setDefaultTimeout(STEP_TIMEOUT_MS);
      const problems: string[] = [];
      page.on('console', (message) => problems.push(message.text()));
      try {
        await page.goto(pages.origin + path);
        const url = await beginPlayback();
        await page.evaluate(`
          document.body.innerHTML = '<audio id="audio" ${attribute}></audio>';
          audio.src = ${JSON.stringify(url)};
          void audio.play();
        `);
        await page.waitForFunction('audio.currentTime > 0.3');
        expect(await page.evaluate('audio.seekable.end(0) === audio.duration')).toBe(true);
        const before = suite.service.requests.filter(isMedia).length;
        await page.evaluate(`audio.currentTime = ${SECONDS * 0.66}`);
        await page.waitForFunction(`!audio.seeking && audio.currentTime > ${SECONDS * 0.66 + 0.3}`);
        const asked = suite.service.requests.filter(isMedia).slice(before);
        expect(asked.length).toBeLessThanOrEqual(2);
        expect(problems).toEqual([]);
      } finally {
        await page.close();
      }
    },
    TIMEOUT_MS,
  );
});
