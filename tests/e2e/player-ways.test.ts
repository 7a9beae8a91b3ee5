import { join } from 'node:path';
import { type Browser } from 'playwright-core';
import { ffmpeg } from '../support/audio-files';
import {
  isMedia,
  itInChromium,
  launchBrowser,
  openPlayer,
  startPlayerService,
  untilInPage,
  type PlayerPage,
  type PlayerService,
} from '../support/player-page';
import { SWEEPS } from '../support/sounds';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const TIMEOUT_MS = 60_000;
const SECONDS = 150;
/** A busy machine is slow; on an idle one it is a twentieth of that. */
const SEEK_LIMIT_MS = 5_000;

const library = createTempFolder();
let service: PlayerService;
let browser: Browser | undefined;
let player: PlayerPage | undefined;

beforeAll(async () => {
  const input = ['-f', 'lavfi', '-i', `${SWEEPS}:s=44100:d=${SECONDS}`];
  const tags = ['-metadata', 'title=Long Song', '-metadata', 'artist=Somebody'];
  await ffmpeg([...input, '-b:a', '320k', ...tags, join(library, 'long.mp3')]);
  const wide = ['-f', 'lavfi', '-i', `sine=330:d=${SECONDS}`, '-ar', '48000', '-ac', '2'];
  await ffmpeg([...wide, '-metadata', 'title=Wide Song', join(library, 'wide.wav')]);
  // every form is made anew here, while those before may still be finished
  service = await startPlayerService({ AUDIO_FILES_DIR: library, TRANSCODE_JOBS: '8' });
  browser = await launchBrowser();
}, TIMEOUT_MS);

afterEach(async () => {
  await player?.close();
  player = undefined;
});

afterAll(async () => {
  await browser?.close();
  await service.app.close();
  removeTempFolders();
}, TIMEOUT_MS);

/** hls.js loads one segment after the other, before the jump and behind it: those of the place count. */
function isOfJump({ url }: { readonly url: string }): boolean {
  const segment = /\/(\d+)\.m4s/.exec(url)?.[1];
  return segment === undefined || Math.abs(Number(segment) - (SECONDS * 0.66) / 6) < 1.2;
}

describe('the player page', () => {
  itInChromium.each([
    ['grant', 'original'],
    ['grant', 'mp3'],
    ['grant', 'opus'],
    ['grant', 'aac'],
    ['grant', 'hls'],
    ['worker', 'original'],
    ['worker', 'opus'],
    ['worker', 'hls'],
    ['fetch', 'original'],
    ['fetch', 'mp3'],
    ['fetch', 'aac'],
    ['fetch', 'hls'],
  ])(
    'plays by %s in %s, and jumps',
    async (way, quality) => {
      player = await openPlayer(browser!, service);
      await player.page.waitForSelector('.track');
      await player.choose('way', way);
      await player.choose('quality', quality);
      // 29 MB, which no browser has loaded before the jump; MediaSource takes no WAV
      const isWide = quality === 'original' && way !== 'fetch';
      await player.play(isWide ? 'Wide Song' : 'Long Song');
      await player.untilPlayingFrom(0.4);

      const before = service.requests.filter(isMedia).length;
      const startedAt = performance.now();
      await player.seekTo(0.66);
      // hls.js goes on to load what comes next, so it counts until the first sound
      await untilInPage(
        player.page,
        `!audio.seeking && audio.readyState > 2 && Number(seek.value) >= ${SECONDS * 0.66}`,
      );
      const requests = service.requests.filter(isMedia).slice(before).filter(isOfJump);
      const seekMs = performance.now() - startedAt;
      await player.untilPlayingFrom(SECONDS * 0.66 + 0.3);
      expect(await player.position()).toBeLessThan(SECONDS * 0.66 + 10);
      // a place that is not encoded yet takes as long as it takes
      if (quality !== 'mp3') expect(seekMs).toBeLessThan(SEEK_LIMIT_MS);
      // the cache of an element asks again for each piece of a small form that it has
      const isCached = way !== 'fetch' && ['mp3', 'opus', 'aac'].includes(quality);
      if (!isCached) expect(requests.length > 2 ? requests : []).toEqual([]);
      expect(player.problems).toEqual([]);
      expect(await player.page.isHidden('#notice')).toBe(true);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'keeps the place when form and way change, and says where MediaSource cannot',
    async () => {
      player = await openPlayer(browser!, service);
      await player.page.waitForSelector('.track');
      await player.play('Long Song');
      await player.seekTo(0.4);
      await player.untilPlayingFrom(SECONDS * 0.4);
      for (const [menu, id] of [
        ['quality', 'mp3'],
        ['way', 'fetch'],
        ['quality', 'opus'],
        ['way', 'worker'],
        ['quality', 'hls'],
      ] as const) {
        await player.choose(menu, id);
        await player.untilPlayingFrom(SECONDS * 0.4 + 0.1);
        expect(await player.position()).toBeLessThan(SECONDS * 0.4 + 20);
        if (id === 'opus') await player.untilNotice(/MediaSource does not take Opus/);
      }
      // one playback all the way
      const begun = service.requests.filter(
        ({ method, url }) => method === 'POST' && url.endsWith('/playback'),
      );
      expect(
        begun.filter(({ authorization }) => authorization === `Bearer ${player!.token}`),
      ).toHaveLength(1);
      expect(player.problems).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
