import { join } from 'node:path';
import { ffmpeg } from '../support/audio-files';
import { itInChromium } from '../support/chromium';
import { untilInPage, usePlayer } from '../support/player-page';
import { signToken } from '../support/sign-token';

const TIMEOUT_MS = 60_000;
const LISTS = '**/api/stream?*';
const TITLES = `[...document.querySelectorAll('.track .title')].map(({ textContent }) => textContent).join()`;

const suite = usePlayer(async (library) => {
  const input = ['-f', 'lavfi', '-i', 'sine=330:d=20'];
  for (const title of ['One', 'Two']) {
    await ffmpeg([...input, '-metadata', `title=${title}`, join(library, `${title}.mp3`)]);
  }
});

describe('the list of the player page', () => {
  itInChromium(
    'is asked for again by whom it was refused, with what is searched, and nothing plays by that',
    async () => {
      const { page, untilNotice } = await suite.open();
      await page.route(LISTS, (route) =>
        route.fulfill({
          status: 503,
          json: { status: 'error', code: 'library_unavailable', message: 'no' },
        }),
      );
      await page.fill('#search', 'two');
      await untilNotice(/library is away.*Try again/);
      // what it said of the list before
      expect(await page.textContent('#count')).toBe('');
      await page.unroute(LISTS);
      await page.click('#notice [data-action]');
      await untilInPage(page, `${TITLES} === 'Two'`);
      expect(await page.isHidden('#notice')).toBe(true);
      expect(await page.textContent('#title')).toBe('Nothing chosen yet');
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'is of what is searched, with another token as well',
    async () => {
      const { page } = await suite.open();
      await page.fill('#search', 'two');
      await untilInPage(page, `${TITLES} === 'Two'`);
      await page.click('#token-button');
      await page.fill('#token-dialog input', signToken({ tracks: ['Two'] }));
      const answered = page.waitForResponse(LISTS);
      await page.keyboard.press('Enter');
      expect(new URL((await answered).url()).searchParams.get('search')).toBe('two');
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'comes with the track of the fragment when the token comes from the field',
    async () => {
      const { page, untilNotice, untilPlayingFrom } = await suite.open({
        token: '',
        fragment: '&track=Two&t=7.5',
      });
      await untilNotice(/token is needed/);
      await page.click('#notice [data-action]');
      await page.fill('#token-dialog input', signToken());
      await page.keyboard.press('Enter');
      await untilInPage(page, `document.getElementById('title').textContent === 'Two'`);
      await page.click('#play');
      await untilPlayingFrom(7.5);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'goes on for whoever stays at its end',
    async () => {
      const { page } = await suite.open();
      const answer = await page.evaluate(`fetch('/api/stream?limit=1', {
        headers: { Authorization: 'Bearer ${signToken()}' } }).then((response) => response.json())`);
      const { data } = answer as { data: { tracks: { id: string }[] } };
      await page.route(LISTS, (route) => {
        const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0);
        const tracks = Array.from({ length: 50 }, (_, i) => ({
          ...data.tracks[0],
          id: `track ${from + i}`,
        }));
        const nextCursor = from < 950 ? `${from + 50}` : null;
        return route.fulfill({
          json: { data: { tracks, nextCursor, total: 1000, complete: true } },
        });
      });
      await page.evaluate(`(() => {
        new MutationObserver(() => scrollTo(0, document.body.scrollHeight))
          .observe(document.getElementById('tracks'), { childList: true });
      })()`);
      await page.fill('#search', 'track');
      await untilInPage(page, `document.querySelectorAll('.track').length === 1000`);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'grows while the library is looked through for the first time, around what has the focus',
    async () => {
      const { page, problems } = await suite.open();
      const known = await page.evaluate<object>(`fetch('/api/stream?limit=1', {
        headers: { Authorization: 'Bearer ${signToken()}' } })
        .then((response) => response.json()).then(({ data }) => data.tracks[0])`);
      let found = ['B', 'D'];
      const all = ['A', 'B', 'C', 'D', ...Array.from({ length: 96 }, (_, i) => `E ${100 + i}`)];
      await page.route(LISTS, (route) => {
        const parameters = new URL(route.request().url()).searchParams;
        const [after, limit] = [parameters.get('cursor') ?? '', Number(parameters.get('limit'))];
        const rest = found.filter((id) => id > after);
        const tracks = rest.slice(0, limit).map((id) => ({ ...known, id, title: id }));
        const nextCursor = rest.length > limit ? tracks.at(-1)!.id : null;
        const complete = found.length === all.length;
        return route.fulfill({
          json: { data: { tracks, nextCursor, total: found.length, complete } },
        });
      });
      await page.fill('#search', 'any');
      await untilInPage(page, `${TITLES} === 'B,D'`);
      expect(await page.textContent('#count')).toBe('2 tracks for “any” so far');
      await page.locator('.track').nth(1).focus();

      found = all.slice(0, 4);
      await untilInPage(page, `${TITLES} === 'A,B,C,D'`);
      expect(
        await page.evaluate('document.activeElement.querySelector(".title").textContent'),
      ).toBe('D');
      found = all;
      await untilInPage(
        page,
        `document.getElementById('count').textContent === '100 tracks for “any”'`,
      );
      await page.locator('.track').last().scrollIntoViewIfNeeded();
      await untilInPage(page, `${TITLES} === '${all.join()}'`);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'names its tracks by what they are, covers or none',
    async () => {
      const { page } = await suite.open();
      const snapshot = await page.locator('body').ariaSnapshot();
      expect(snapshot).toContain('button "One Unknown Artist 20 seconds"');
      expect(snapshot).not.toContain('♪');
    },
    TIMEOUT_MS,
  );
});
