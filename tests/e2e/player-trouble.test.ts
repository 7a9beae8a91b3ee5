import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sign } from 'jsonwebtoken';
import { ffmpeg } from '../support/audio-files';
import { itInChromium } from '../support/chromium';
import { isMedia, usePlayer, type PlayerPage, type PlayerService } from '../support/player-page';
import { signToken, TEST_SECRET, uniqueSubject } from '../support/sign-token';
import { until } from '../support/until';

const TIMEOUT_MS = 60_000;
/** As WAV 29 MB, which no browser has loaded before a jump. */
const SECONDS = 150;
const HOUR_SECONDS = 3600;

const suite = usePlayer(async (library) => {
  const input = ['-f', 'lavfi', '-i', `sine=330:d=${SECONDS}`, '-ar', '48000', '-ac', '2'];
  await ffmpeg([...input, '-metadata', 'title=Long Song', join(library, 'a.wav')]);
  const short = ['-f', 'lavfi', '-i', 'sine=440:d=5'];
  await ffmpeg([...short, '-metadata', 'title=Short Song', join(library, 'b.mp3')]);
});

/** A token of this subject that is good for ten minutes of the service's clock. */
function tokenOf(subject: string, { now }: { readonly now: number }): string {
  const iat = Math.floor(now / 1000);
  return sign({ sub: subject, iat, exp: iat + 600 }, TEST_SECRET, { algorithm: 'HS256' });
}

/** Opens the page, and plays until some of it was heard. */
async function playLong(
  at: PlayerService,
  options: { token?: string } = {},
  way = 'grant',
): Promise<PlayerPage> {
  const player = await suite.open(options, at);
  await player.choose('way', way);
  await player.play('Long Song');
  return player;
}

/** Ends the one playback of a page, as somebody else with the same token would. */
async function revoke({ origin, requests }: PlayerService, token: string): Promise<void> {
  const { url } = requests.findLast((request) => request.url.includes('?grant='))!;
  const [id] = new URL(url, origin).searchParams.get('grant')!.split('.');
  const answer = await fetch(`${origin}/api/stream/a/playback/${id}`, {
    method: 'DELETE',
    headers: { Authorization: `Bearer ${token}` },
  });
  expect(answer.status).toBe(204);
}

describe('the player page in trouble', () => {
  itInChromium(
    'plays and jumps on by its grant when the token is over, and asks for one when it needs it',
    async () => {
      const other = await suite.startOther();
      const subject = uniqueSubject();
      const { page, problems, seekTo, untilPlayingFrom } = await playLong(other, {
        token: tokenOf(subject, { now: Date.now() }),
      });
      other.skipSeconds(HOUR_SECONDS);
      await seekTo(0.66);
      await untilPlayingFrom(SECONDS * 0.66 + 0.3);
      expect(await page.isVisible('#token-dialog')).toBe(false);
      expect(problems).toEqual([]);

      await page.click('.track:has-text("Short Song")');
      await page.fill(
        '#token-dialog input',
        tokenOf(subject, { now: other.app.container.clock() }),
      );
      await page.keyboard.press('Enter');
      await untilPlayingFrom(0.1);
      expect(await page.textContent('#title')).toBe('Short Song');
    },
    TIMEOUT_MS,
  );

  itInChromium.each([
    ['the Service Worker', 'worker', 'original'],
    ['hls.js', 'fetch', 'hls'],
  ])(
    'asks for another token where %s has none that holds, and keeps the place',
    async (_name, way, quality) => {
      const other = await suite.startOther();
      const subject = uniqueSubject();
      const token = tokenOf(subject, { now: Date.now() });
      const { page, choose, seekTo, untilPlayingFrom } = await playLong(other, { token }, way);
      await choose('quality', quality);
      await untilPlayingFrom(0.1);
      other.skipSeconds(HOUR_SECONDS);
      await seekTo(0.66);
      await page.waitForSelector('#token-dialog', { state: 'visible' });
      await page.fill(
        '#token-dialog input',
        tokenOf(subject, { now: other.app.container.clock() }),
      );
      await page.click('#token-dialog button[type=submit]');
      await untilPlayingFrom(SECONDS * 0.66);
    },
    TIMEOUT_MS,
  );

  itInChromium.each(['original', 'hls'])(
    'says that its playback of %s was ended, and goes on with another',
    async (quality) => {
      const { token, choose, seekTo, untilNotice, untilPlayingFrom } = await playLong(
        suite.service,
      );
      await choose('quality', quality);
      await untilPlayingFrom(0.1);
      await revoke(suite.service, token);
      await seekTo(0.66);
      await untilNotice(/was ended/);
      await untilPlayingFrom(SECONDS * 0.66);
    },
    TIMEOUT_MS,
  );

  itInChromium.each([
    ['is refused', `() => Promise.reject(new DOMException('no', 'SecurityError'))`],
    ['never starts', `() => Promise.resolve()`],
  ])(
    'plays by its grant where the Service Worker %s',
    async (_how, register) => {
      const { page, problems, choose, play, untilNotice } = await suite.open();
      await page.evaluate(`navigator.serviceWorker.register = ${register}`);
      await choose('way', 'worker');
      await play('Long Song');
      await untilNotice(/Service Worker.*by playback grant instead/);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'survives fifty jumps in five seconds',
    async () => {
      const { page, problems, seekTo, untilPlayingFrom } = await playLong(suite.service);
      const before = suite.service.requests.length;
      for (let i = 0; i < 50; i += 1) {
        await seekTo(((i * 37) % 50) / 60 + 0.1);
        await page.waitForTimeout(100);
      }
      await seekTo(0.5);
      await untilPlayingFrom(SECONDS * 0.5 + 0.3);
      const asked = suite.service.requests.slice(before);
      expect(asked.filter(({ status }) => status === 429)).toEqual([]);
      expect(asked.filter(isMedia).length).toBeLessThanOrEqual(100);
      expect(problems).toEqual([]);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'offers to end what plays elsewhere',
    async () => {
      const other = await suite.startOther({ MAX_PLAYBACKS_PER_SUBJECT: '1' });
      const token = signToken();
      const begun = await fetch(`${other.origin}/api/stream/b/playback`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}` },
      });
      expect(begun.status).toBe(201);
      const player = await suite.open({ token }, other);
      await player.page.click('.track:has-text("Long Song")');
      await player.untilNotice(/elsewhere already \(“b”\)/);
      await player.page.click('#notice [data-action]');
      await player.untilPlayingFrom(0.2);
      expect(await player.page.isHidden('#notice')).toBe(true);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'tells in plain words what was refused, with a way on',
    async () => {
      const other = await suite.startOther({ FFMPEG_PATH: '/nowhere/ffmpeg' });
      const player = await suite.open({}, other);
      const { page } = player;
      await player.choose('quality', 'opus');
      await page.click('.track:has-text("Long Song")');
      await player.untilNotice(/cannot convert.*Play the original/);
      await page.click('#notice [data-action]');
      await player.untilPlayingFrom(0.2);
      expect(await page.inputValue('#quality')).toBe('original');

      const refuse = (status: number, code: string, fields: Record<string, string> = {}) =>
        page.route('**/playback', (route) =>
          route.fulfill({
            status,
            headers: fields,
            json: { status: 'error', code, message: 'no' },
          }),
        );
      await refuse(503, 'overloaded', { 'Retry-After': '5' });
      await page.click('.track:has-text("Short Song")');
      await player.untilNotice(/busy. Try again in 5 seconds.*Try again/);
      await refuse(429, 'rate_limited', { 'Retry-After': '12' });
      await page.click('#notice [data-action]');
      await player.untilNotice(/at once. Try again in 12 seconds/);
      await refuse(403, 'insufficient_scope');
      await page.click('#notice [data-action]');
      await player.untilNotice(/does not open this track.*Enter a token/);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'reports the end of one track before it closes its addresses, and begins the next after that',
    async () => {
      const other = await suite.startOther({ MAX_PLAYBACKS_PER_SUBJECT: '1' });
      const { play } = await playLong(other);
      const before = other.requests.length;
      for (const title of ['Short Song', 'Long Song', 'Short Song', 'Long Song']) {
        // what the service has learned of a playback counts for half a second
        await delay(600);
        await play(title);
      }
      const asked = other.requests
        .slice(before)
        .filter(({ url }) => url.includes('/playback'))
        .map(({ method, url, status }) => [method, /progress|takeover/.exec(url)?.[0], status]);
      expect(asked.filter(([, , status]) => Number(status) >= 400)).toEqual([]);
      expect(asked.filter(([method]) => method === 'DELETE')).toHaveLength(4);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'is not in its own way where tracks and forms are chosen faster than they begin',
    async () => {
      const other = await suite.startOther({ MAX_PLAYBACKS_PER_SUBJECT: '1' });
      const { page, choose, untilPlayingFrom } = await suite.open({}, other);
      await page.route('**/playback', async (route) => {
        const response = await route.fetch();
        // begun, and nobody in the page knows it yet
        await delay(300);
        await route.fulfill({ response });
      });
      await page.evaluate(`(async () => {
        const [long, short] = document.querySelectorAll('.track');
        for (const track of [short, long, short, long]) {
          track.click();
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      })()`);
      for (const quality of ['mp3', 'original']) await choose('quality', quality);
      await untilPlayingFrom(0.2);
      expect(await page.textContent('#title')).toBe('Long Song');
      const asked = other.requests.filter(({ url }) => url.includes('/playback'));
      expect(asked.filter(({ status }) => status >= 400)).toEqual([]);
      expect(await page.isHidden('#notice')).toBe(true);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'reports what it plays and ends its playback when it is closed',
    async () => {
      const { page } = await playLong(suite.service);
      const before = suite.service.requests.length;
      await page.click('#play');
      await until(
        () =>
          suite.service.requests
            .slice(before)
            .some(({ url, status }) => url.includes('/progress?grant=') && status === 200),
        'the pause is reported',
      );
      await page.goto('about:blank');
      await until(
        () =>
          suite.service.requests
            .slice(before)
            .some(({ method, status }) => method === 'DELETE' && status === 204),
        'the playback is ended',
      );
    },
    TIMEOUT_MS,
  );
});
