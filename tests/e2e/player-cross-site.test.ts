import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser } from 'playwright-core';
import { ffmpeg } from '../support/audio-files';
import {
  isMedia,
  itInChromium,
  launchBrowser,
  startPlayerService,
  type PlayerService,
} from '../support/player-page';
import { signToken } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const TIMEOUT_MS = 60_000;
const STEP_TIMEOUT_MS = 20_000;
const SECONDS = 150;

const library = createTempFolder();
let service: PlayerService;
let browser: Browser | undefined;
/** of another site: `localhost` is another than 127.0.0.1 */
let pages: Server;

beforeAll(async () => {
  const input = ['-f', 'lavfi', '-i', `sine=330:d=${SECONDS}`, '-ar', '48000', '-ac', '2'];
  // 29 MB, which no browser has loaded before the jump
  await ffmpeg([...input, join(library, 'song.wav')]);
  service = await startPlayerService({ AUDIO_FILES_DIR: library });
  pages = createServer((req, res) => {
    const isIsolated = req.url === '/isolated';
    res.writeHead(200, {
      'Content-Type': 'text/html; charset=utf-8',
      ...(isIsolated ? { 'Cross-Origin-Embedder-Policy': 'require-corp' } : {}),
    });
    res.end('<!doctype html><title>another site</title><link rel="icon" href="data:,">');
  }).listen(0, 'localhost');
  await once(pages, 'listening');
  browser = await launchBrowser();
}, TIMEOUT_MS);

afterAll(async () => {
  await browser?.close();
  pages.close();
  await service.app.close();
  removeTempFolders();
}, TIMEOUT_MS);

async function beginPlayback(): Promise<string> {
  const answer = await fetch(`${service.origin}/api/stream/song/playback`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${signToken()}` },
  });
  const { data } = (await answer.json()) as { data: { url: string } };
  return service.origin + data.url;
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
      const page = await browser!.newPage();
      page.setDefaultTimeout(STEP_TIMEOUT_MS);
      const problems: string[] = [];
      page.on('console', (message) => problems.push(message.text()));
      try {
        await page.goto(`http://localhost:${(pages.address() as AddressInfo).port}${path}`);
        const url = await beginPlayback();
        await page.evaluate(`
          document.body.innerHTML = '<audio id="audio" ${attribute}></audio>';
          audio.src = ${JSON.stringify(url)};
          void audio.play();
        `);
        await page.waitForFunction('audio.currentTime > 0.3');
        expect(await page.evaluate('audio.seekable.end(0) === audio.duration')).toBe(true);
        const before = service.requests.filter(isMedia).length;
        await page.evaluate(`audio.currentTime = ${SECONDS * 0.66}`);
        await page.waitForFunction(`!audio.seeking && audio.currentTime > ${SECONDS * 0.66 + 0.3}`);
        const asked = service.requests.filter(isMedia).slice(before);
        expect(asked.length).toBeLessThanOrEqual(2);
        expect(problems).toEqual([]);
      } finally {
        await page.close();
      }
    },
    TIMEOUT_MS,
  );
});
