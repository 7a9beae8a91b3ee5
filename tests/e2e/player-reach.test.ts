import { join } from 'node:path';
import { ffmpeg } from '../support/audio-files';
import { itInChromium } from '../support/chromium';
import { untilInPage, usePlayer } from '../support/player-page';
import { signToken } from '../support/sign-token';

const TIMEOUT_MS = 60_000;
const TRACKS = 30;

const suite = usePlayer(async (library) => {
  const tone = ['-f', 'lavfi', '-i', 'sine=330:d=40'];
  const names = Array.from({ length: TRACKS }, (_, i) => `Song ${String(i).padStart(2, '0')}`);
  await ffmpeg([
    ...tone,
    ...names.flatMap((name) => ['-b:a', '64k', join(library, `${name}.mp3`)]),
  ]);
});

/** What has the focus, and whether all of it can be seen. */
const FOCUSED = `(() => {
  const { activeElement } = document;
  const { left, right, top, bottom } = activeElement.getBoundingClientRect();
  const middle = (left + right) / 2;
  const isSeen = [top + 2, bottom - 2].every((y) => {
    const hit = document.elementFromPoint(middle, y);
    return activeElement.contains(hit);
  });
  return [activeElement.textContent, isSeen];
})()`;

describe('what the player page has within reach', () => {
  itInChromium.each([
    [1280, 800],
    [375, 667],
    // on its side, and a page at 400 %
    [667, 375],
    [320, 256],
  ])(
    'shows whatever in the list has the focus, at %i x %i',
    async (width, height) => {
      const { page } = await suite.open({ viewport: { width, height } });
      await page.focus('.track');
      const hidden: unknown[] = [];
      for (const key of ['Tab', 'ArrowDown', 'Shift+Tab', 'ArrowUp']) {
        for (let i = 0; i < TRACKS / 2 - 1; i += 1) {
          await page.keyboard.press(key);
          const [text, isSeen] = await page.evaluate<[string, boolean]>(FOCUSED);
          if (!isSeen) hidden.push([key, i, text]);
        }
      }
      expect(hidden).toEqual([]);
    },
    TIMEOUT_MS,
  );

  itInChromium.each([
    [667, 375],
    [320, 256],
  ])(
    'leaves room for the list where all is open, and all can be come to, at %i x %i',
    async (width, height) => {
      const { page, play } = await suite.open({ viewport: { width, height } });
      await play('Song 00');
      await page.click('.network summary');
      const top = await page.evaluate(
        `document.getElementById('player').getBoundingClientRect().top`,
      );
      expect(top).toBeGreaterThan(height / 3);
      // by the mouse, which tries until nothing lies above it
      await page.click('#network-clear');
      await page.click('.track:has-text("Song 03")');
      await untilInPage(page, `document.getElementById('title').textContent === 'Song 03'`);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'scrolls the requests by the keys, which are not for the music there',
    async () => {
      const { page, play, position } = await suite.open({ viewport: { width: 375, height: 700 } });
      await play('Song 00');
      await page.click('.network summary');
      await page.focus('.table');
      await page.keyboard.press('ArrowRight');
      await untilInPage(page, `document.querySelector('.table').scrollLeft > 0`);
      await page.keyboard.press('ArrowDown');
      expect(await page.evaluate('audio.volume')).toBe(1);
      expect(await position()).toBeLessThan(5);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'takes a key that is held for one',
    async () => {
      const { page, play } = await suite.open();
      await play('Song 00');
      await page.evaluate('document.activeElement.blur()');
      await page.keyboard.down('Space');
      await page.keyboard.down('Space');
      await page.keyboard.up('Space');
      expect(await page.evaluate('audio.paused')).toBe(true);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'has the volume where there is a mouse, and says it as people do',
    async () => {
      const { page } = await suite.open({ viewport: { width: 375, height: 700 } });
      const volume = page.getByRole('slider', { name: 'Volume' });
      expect(await volume.getAttribute('aria-valuetext')).toBe('100 %');
      await volume.press('ArrowLeft');
      expect(await volume.getAttribute('aria-valuetext')).toBe('99 %');
      await page.evaluate('document.activeElement.blur()');
      await page.keyboard.press('ArrowDown');
      expect(await volume.getAttribute('aria-valuetext')).toBe('94 %');
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'asks for another token where there is one that no field can hold',
    async () => {
      const { page, problems, untilNotice } = await suite.open({ token: '' });
      await untilNotice(/token is needed/);
      await page.click('#notice [data-action]');
      // as terminals and chats shorten it
      await page.fill('#token-dialog input', `${signToken().slice(0, 40)}…`);
      await page.keyboard.press('Enter');
      await untilInPage(
        page,
        `/not valid here/.test(document.querySelector('#token-dialog[open] [data-hint]')?.textContent)`,
      );
      await page.fill('#token-dialog input', signToken());
      await page.keyboard.press('Enter');
      await page.waitForSelector('.track');
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
