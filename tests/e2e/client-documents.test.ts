import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser } from 'playwright-core';
import { itInChromium, launchChromium } from '../support/chromium';
import { startPageServer, type PageServer } from '../support/page-server';
import { startService, stopServices, type ServiceProcess } from '../support/service-process';
import { signToken } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const TIMEOUT_MS = 60_000;
const SAMPLES = join(__dirname, '../../samples');

/** The examples that say so, by name, as they stand in the document. */
const examples = new Map(
  [
    ...readFileSync(join(__dirname, '../../docs/clients.md'), 'utf8').matchAll(
      /<!-- run: (\S+) -->\n\n```\w+\n(.*?)\n```/gs,
    ),
  ].map(([, name = '', code = '']) => [name, code] as const),
);

/** On the pages' own server; it looks as the service's addresses do. */
const ELSEWHERE = 'api/stream/picture';
const tokensElsewhere: (string | undefined)[] = [];

let service: ServiceProcess;
let pages: PageServer;
let browser: Browser | undefined;

beforeAll(async () => {
  service = await startService({ AUDIO_FILES_DIR: SAMPLES, CACHE_DIR: createTempFolder() });
  pages = await startPageServer((req, res) => {
    const name = (req.url ?? '').slice(1);
    res.setHeader('Content-Type', name.endsWith('.js') ? 'text/javascript' : 'text/html');
    if (name === 'hls.min.js') {
      res.end(readFileSync(require.resolve('hls.js/dist/hls.min.js')));
      return;
    }
    if (name === ELSEWHERE) tokensElsewhere.push(req.headers.authorization);
    const address = `const SERVICE = 'http://127.0.0.1:${service.port}';`;
    const known = `${address} const TOKEN = '${signToken()}';`;
    const head = name.endsWith('.html') ? `<!doctype html><script>${known}</script>` : address;
    res.end(head + (examples.get(name) ?? ''));
  });
  browser = await launchChromium();
}, TIMEOUT_MS);

afterAll(async () => {
  await browser?.close();
  pages.close();
  await stopServices();
  removeTempFolders();
}, TIMEOUT_MS);

describe('the examples of docs/clients.md', () => {
  it('are those that are run below', () => {
    expect([...examples.keys()]).toEqual([
      'grant.html',
      'worker.js',
      'worker.html',
      'media-source.html',
      'hls.html',
      'curl.sh',
    ]);
  });

  itInChromium.each(['grant.html', 'worker.html', 'media-source.html', 'hls.html'])(
    '%s plays, and goes on at 66 %%',
    async (name) => {
      const page = await browser!.newPage();
      page.setDefaultTimeout(30_000);
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(error.message));
      await page.goto(`${pages.origin}/${name}`);
      await page.waitForFunction('player.readyState >= 2 && player.duration > 11');
      await page.evaluate('player.play()');
      await page.waitForFunction('player.currentTime > 0.3');
      await page.evaluate('player.currentTime = player.duration * 0.66');
      await page.waitForFunction(
        '!player.seeking && player.currentTime > player.duration * 0.66 + 0.2',
      );
      expect(await page.evaluate('player.error')).toBeNull();
      await page.evaluate(`fetch('/${ELSEWHERE}')`);
      expect(tokensElsewhere.splice(0)).toEqual([undefined]);
      expect(errors).toEqual([]);
      await page.close();
    },
    TIMEOUT_MS,
  );

  it(
    'curl.sh runs in a shell, without an error',
    async () => {
      const folder = createTempFolder();
      const { stdout } = await promisify(execFile)('sh', ['-e', '-c', examples.get('curl.sh')!], {
        cwd: folder,
        env: {
          ...process.env,
          SERVICE: `http://127.0.0.1:${service.port}`,
          TOKEN: signToken(),
        },
      });
      expect(stdout).toContain('First Light');
      expect(stdout).toContain('Leaving Port');
      const original = readFileSync(join(SAMPLES, 'first-light.mp3'));
      expect(readFileSync(join(folder, 'first-light.mp3')).equals(original)).toBe(true);
      const part = readFileSync(join(folder, 'part.bin'));
      expect(part.equals(original.subarray(1000, 2000))).toBe(true);
      expect(statSync(join(folder, 'small.mp3')).size).toBeGreaterThan(50_000);
    },
    TIMEOUT_MS,
  );
});
