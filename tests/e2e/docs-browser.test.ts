import { join } from 'node:path';
import { type Browser, type Page } from 'playwright-core';
import { itInChromium, launchChromium } from '../support/chromium';
import { startService, stopServices, type ServiceProcess } from '../support/service-process';
import { signToken } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const TIMEOUT_MS = 60_000;

let service: ServiceProcess;
let browser: Browser | undefined;
let page: Page;
let problems: string[];

beforeAll(async () => {
  service = await startService({
    AUDIO_FILES_DIR: join(__dirname, '../../samples'),
    CACHE_DIR: createTempFolder(),
  });
  browser = await launchChromium();
}, TIMEOUT_MS);

afterAll(async () => {
  await browser?.close();
  await stopServices();
  removeTempFolders();
}, TIMEOUT_MS);

beforeEach(async () => {
  if (!browser) return;
  page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  problems = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('requestfailed', (request) => problems.push(request.url()));
  page.on('request', (request) => {
    const { host } = new URL(request.url(), 'http://none');
    if (!request.url().startsWith('data:') && host !== `127.0.0.1:${service.port}`) {
      problems.push(`asks ${host}`);
    }
  });
});

afterEach(async () => {
  if (browser) await page.close();
});

describe('/docs in Chromium', () => {
  itInChromium.each([1280, 375])(
    'shows every address at %d pixels, without an error in the console',
    async (width) => {
      await page.setViewportSize({ width, height: 900 });
      await page.goto(`http://127.0.0.1:${service.port}/docs`);
      await page.waitForSelector('.opblock');
      const document = (await (
        await fetch(`http://127.0.0.1:${service.port}/openapi.json`)
      ).json()) as { paths: Record<string, Record<string, unknown>> };
      const listed = Object.values(document.paths)
        .flatMap((methods) => Object.keys(methods))
        .filter((method) => !['head', 'options'].includes(method));
      expect(await page.locator('.opblock').count()).toBe(listed.length);
      const overflow = await page.evaluate<number>(
        'document.documentElement.scrollWidth - window.innerWidth',
      );
      expect(overflow).toBeLessThanOrEqual(0);
      const { SCREENSHOTS: folder } = process.env;
      if (folder) await page.screenshot({ path: join(folder, `docs-${width}.png`) });
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'tries an address out with a pasted token',
    async () => {
      await page.goto(`http://127.0.0.1:${service.port}/docs`);
      await page.click('button.authorize');
      await page.locator('.auth-container input').first().fill(signToken());
      await page.locator('.auth-container button.authorize').first().click();
      await page.locator('.auth-btn-wrapper .btn-done').first().click();
      const operation = page.locator('#operations-Tracks-getMetadata');
      await operation.locator('.opblock-summary-control').click();
      await operation.locator('.try-out__btn').click();
      await operation.locator('button.execute').click();
      const status = operation.locator('.live-responses-table .response-col_status');
      await status.nth(1).waitFor();
      expect(await status.nth(1).innerText()).toContain('200');
      expect(await operation.locator('.live-responses-table').innerText()).toContain('First Light');

      // an id in folders, as it is described there
      const parameter = operation.locator('.parameters tbody tr', { hasText: 'trackId' });
      await parameter.locator('input').fill(await parameter.locator('code').first().innerText());
      await operation.locator('button.execute').click();
      await operation.locator('.live-responses-table', { hasText: 'Leaving Port' }).waitFor();
      const { SCREENSHOTS: folder } = process.env;
      if (folder) await page.screenshot({ path: join(folder, 'docs-tried.png'), fullPage: true });
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
