import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import { PAGE_FILES } from '../../src/controllers/page-controller';
import { ffmpeg } from '../support/audio-files';
import { itInChromium } from '../support/chromium';
import { untilInPage, usePlayer } from '../support/player-page';
import { startService, stopServices } from '../support/service-process';
import { signToken } from '../support/sign-token';
import { createTempFolder } from '../support/temp-folder';

const TIMEOUT_MS = 60_000;
const SECONDS = 40;
/** More than a page of the list. */
const TRACKS = 55;

const suite = usePlayer(async (library) => {
  mkdirSync(join(library, 'Album'));
  const tone = join(createTempFolder(), 'tone.mp3');
  const source = `sine=440:d=${SECONDS}`;
  await ffmpeg(['-f', 'lavfi', '-i', source, '-ac', '1', '-b:a', '64k', tone]);
  const names = Array.from({ length: TRACKS }, (_, i) => `Song ${String(i).padStart(2, '0')}`);
  // encoded once: it takes a slow machine longer than a test may
  await ffmpeg([
    ...['-i', tone],
    ...names.flatMap((name, i) => [
      ...['-c', 'copy'],
      '-metadata',
      `title=${name}`,
      '-metadata',
      `artist=${i === 7 ? 'Émile' : 'Somebody'}`,
      join(library, 'Album', `${name}.mp3`),
    ]),
  ]);
});

afterAll(stopServices);

describe('the files of the player page', () => {
  it('are all in the list of what is served', () => {
    const files = readdirSync(join(__dirname, '../../src/page'));
    expect([...PAGE_FILES].sort()).toEqual(files.sort());
  });

  it('are served by the built service, to nobody in particular, where the page is on', async () => {
    const { port } = await startService({ PLAYER_PAGE: 'true' });
    const addresses = [
      '/',
      ...PAGE_FILES.filter((name) => name !== 'index.html').map((name) => `/player/${name}`),
    ];
    for (const address of [...addresses, '/player/hls.js', '/player/waveform-data.js']) {
      const answer = await fetch(`http://127.0.0.1:${port}${address}`);
      const policy = answer.headers.get('Content-Security-Policy') ?? '';
      expect([address, answer.status, policy.includes('unsafe')]).toEqual([address, 200, false]);
      expect(policy).toContain("default-src 'none'");
      const again = await fetch(answer.url, {
        headers: { 'If-None-Match': answer.headers.get('ETag')! },
      });
      expect([address, again.status]).toEqual([address, 304]);
    }
    const unknown = await fetch(`http://127.0.0.1:${port}/player/../package.json`);
    expect(unknown.status).toBe(404);
  });

  it('are not there where it is off', async () => {
    const { port } = await startService({ NODE_ENV: 'production' });
    for (const address of ['/', '/player/main.js']) {
      expect((await fetch(`http://127.0.0.1:${port}${address}`)).status).toBe(404);
    }
  });
});

describe('the player page', () => {
  itInChromium(
    'keeps the token out of addresses, history and storage, and asks for nothing before it has one',
    async () => {
      const before = suite.service.requests.length;
      const { page, token, problems, choose, play } = await suite.open();
      expect(page.url()).toBe(`${suite.service.origin}/`);
      await choose('way', 'worker');
      await play('Song 01');
      const stored = await page.evaluate(
        `(async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie,
          await indexedDB.databases(), await caches.keys(), history.length, location.href]))()`,
      );
      expect(String(stored)).not.toContain(token);
      await page.goBack();
      expect(page.url()).not.toContain(token);
      const asked = suite.service.requests.slice(before);
      expect(asked.filter(({ url }) => url.includes(token))).toEqual([]);
      expect(
        asked.filter(
          ({ url, authorization }) =>
            url.startsWith('/api') && !authorization && !url.includes('grant='),
        ),
      ).toEqual([]);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'takes a token from its field',
    async () => {
      const before = suite.service.requests.length;
      const { page, problems, untilNotice } = await suite.open({ token: '' });
      await untilNotice(/token is needed/);
      expect(
        suite.service.requests.slice(before).filter(({ url }) => url.startsWith('/api')),
      ).toEqual([]);
      await page.click('#notice [data-action]');
      await page.fill('#token-dialog input', signToken());
      await page.keyboard.press('Enter');
      await page.waitForSelector('.track');
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'lists as one scrolls, and finds without regard to case and accents',
    async () => {
      const { page } = await suite.open();
      expect(await page.textContent('#count')).toBe(`${TRACKS} tracks`);
      await page.locator('.track').last().scrollIntoViewIfNeeded();
      await untilInPage(page, `document.querySelectorAll('.track').length === ${TRACKS}`);
      await page.keyboard.press('/');
      await page.keyboard.type('emile');
      await untilInPage(page, `document.querySelectorAll('.track').length === 1`);
      expect(await page.textContent('.track .title')).toBe('Song 07');
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'is played by keys alone',
    async () => {
      const { page, problems, untilPlayingFrom, position } = await suite.open();
      await page.focus('.track');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      await untilPlayingFrom(0.2);
      expect(await page.textContent('#title')).toBe('Song 01');
      expect(await page.textContent('#status')).toBe('Playing Song 01 by Somebody');

      await page.evaluate('document.activeElement.blur()');
      for (const key of ['ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowLeft'])
        await page.keyboard.press(key);
      await untilPlayingFrom(10);
      expect(await position()).toBeLessThan(20);
      expect(await page.getAttribute('#seek', 'aria-valuetext')).toMatch(
        /^1\d seconds of 40 seconds$/,
      );
      await page.keyboard.press('Space');
      await untilInPage(page, 'audio.paused');
      await page.keyboard.press('ArrowDown');
      expect(await page.evaluate('audio.volume')).toBeCloseTo(0.95);
      await page.keyboard.press('?');
      expect(await page.isVisible('#help')).toBe(true);
      await page.keyboard.press('Escape');
      await page.focus('#next');
      await page.keyboard.press('Space');
      await untilPlayingFrom(0.1);
      expect(await page.textContent('#title')).toBe('Song 02');
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'begins where the fragment says, and has the next form made ahead',
    async () => {
      const before = suite.service.requests.length;
      const track = encodeURIComponent('Album/Song 03');
      const { page, choose, untilPlayingFrom, position } = await suite.open({
        fragment: `&track=${track}&t=0:20.5`,
      });
      await untilInPage(page, `document.getElementById('title').textContent === 'Song 03'`);
      expect(page.url()).not.toContain('token');
      await choose('quality', 'mp3');
      await page.click('#play');
      await untilPlayingFrom(20.5);
      expect(await position()).toBeLessThan(30);
      await untilInPage(
        page,
        `[...document.querySelectorAll('#network-rows td')]
        .some(({ textContent }) => textContent === '/Song 04/prepare?format=mp3')`,
      );
      const prepared = suite.service.requests
        .slice(before)
        .find(({ url }) => url.includes('/prepare'));
      expect(prepared).toMatchObject({
        method: 'POST',
        url: '/api/stream/Album%2FSong%2004/prepare?format=mp3',
      });
    },
    TIMEOUT_MS,
  );

  itInChromium.each(['light', 'dark'] as const)(
    'has nothing that axe would have to say, %s and on a phone as well',
    async (colorScheme) => {
      const { page, problems, play } = await suite.open({ colorScheme });
      await play('Song 01');
      await page.click('.network summary');
      const find = async (): Promise<unknown> =>
        page.evaluate(
          `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))`,
        );
      // by the debugger's way: the policy of the page lets no other script in
      await page.evaluate(axe.source);
      expect(await find()).toEqual([]);
      await page.setViewportSize({ width: 375, height: 700 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
      expect(await find()).toEqual([]);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
