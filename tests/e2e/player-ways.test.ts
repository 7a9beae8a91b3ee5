import { join } from 'node:path';
import { ffmpeg } from '../support/audio-files';
import { itInChromium } from '../support/chromium';
import { send } from '../support/http-client';
import { isMedia, usePlayer, type PlayerPage, type SeenRequest } from '../support/player-page';
import { SWEEPS } from '../support/sounds';

const TIMEOUT_MS = 60_000;
const SECONDS = 150;
/** A busy machine is slow; on an idle one it is a twentieth of that. */
const SEEK_LIMIT_MS = 5_000;

const suite = usePlayer(
  async (library) => {
    const input = ['-f', 'lavfi', '-i', `${SWEEPS}:s=44100:d=${SECONDS}`];
    const tags = ['-metadata', 'title=Long Song', '-metadata', 'artist=Somebody'];
    await ffmpeg([...input, '-b:a', '320k', ...tags, join(library, 'long.mp3')]);
    const wide = ['-f', 'lavfi', '-i', `sine=330:d=${SECONDS}`, '-ar', '48000', '-ac', '2'];
    await ffmpeg([...wide, '-metadata', 'title=Wide Song', join(library, 'wide.wav')]);
  },
  // every form is made anew here, while those before may still be finished
  { TRANSCODE_JOBS: '8' },
);

/** A browser that has the place goes on to fill what it lacks behind it, the sooner the slower the page is. */
const READING_ON = 0.05;

/**
 * hls.js loads one segment after the other, before the jump and behind it: those of the place count. Of
 * ranges those do that begin before it, or not much behind.
 */
async function isOfJump(request: SeenRequest, part: number): Promise<boolean> {
  const { url, range } = request;
  const segment = /\/(\d+)\.m4s/.exec(url)?.[1];
  if (segment !== undefined) return Math.abs(Number(segment) - ((SECONDS * part) / 6 - 0.5)) <= 1;
  const firstPos = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
  return firstPos === 0 || !(firstPos > (await lengthOf(request)) * (part + READING_ON));
}

/** NaN while the server does not know it. */
async function lengthOf({ url, authorization }: SeenRequest): Promise<number> {
  const headers = authorization === undefined ? {} : { authorization };
  const { headers: fields } = await send(suite.service.app.port, url, { method: 'HEAD', headers });
  return Number(fields['content-length']);
}

/** Jumps to a part of the track. @returns what that asked for until sound came */
async function jump({ seekTo, untilPlayingFrom, position }: PlayerPage, part: number) {
  const seconds = SECONDS * part;
  const before = suite.service.requests.filter(isMedia).length;
  const startedAt = performance.now();
  await seekTo(part);
  await untilPlayingFrom(seconds + 0.1);
  const seekMs = performance.now() - startedAt;
  expect(await position()).toBeLessThan(seconds + 10);
  const requests: SeenRequest[] = [];
  for (const request of suite.service.requests.filter(isMedia).slice(before)) {
    if (await isOfJump(request, part)) requests.push(request);
  }
  return { seekMs, requests };
}

describe('the player page', () => {
  itInChromium.each([
    ['grant', 'original', 0.66],
    ['grant', 'mp3', 0.66],
    ['grant', 'opus', 0.66],
    ['grant', 'aac', 0.66],
    ['grant', 'hls', 0.66],
    ['worker', 'original', 0.66],
    ['worker', 'mp3', 0.66],
    // whole by now from the place before on, to which nobody comes again by chance
    ['worker', 'opus', 0.665],
    ['worker', 'aac', 0.66],
    ['worker', 'hls', 0.66],
    ['fetch', 'original', 0.66],
    ['fetch', 'mp3', 0.66],
    ['fetch', 'aac', 0.66],
    ['fetch', 'hls', 0.66],
  ])(
    'plays by %s in %s, and jumps, in what the browser has and in what it has not',
    async (way, quality, part) => {
      const player = await suite.open();
      await player.choose('way', way);
      await player.choose('quality', quality);
      // 29 MB, which no browser has loaded before the jump; MediaSource takes no WAV
      const isWide = quality === 'original' && way !== 'fetch';
      await player.play(isWide ? 'Wide Song' : 'Long Song');
      await player.untilPlayingFrom(0.4);

      // back, to where parts are in the cache, and to and fro
      for (const place of [part, 0.1, part + 0.01, 0.3, 0.05]) {
        const { seekMs, requests } = await jump(player, place);
        expect([place, requests.length > 2 ? requests : []]).toEqual([place, []]);
        // a place that is not encoded yet takes as long as it takes
        if (quality !== 'mp3') expect(seekMs).toBeLessThan(SEEK_LIMIT_MS);
      }
      expect(player.problems).toEqual([]);
      expect(await player.page.isHidden('#notice')).toBe(true);
    },
    TIMEOUT_MS,
  );

  itInChromium(
    'keeps the place when form and way change, and says where MediaSource cannot',
    async () => {
      const player = await suite.open();
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
      const begun = suite.service.requests.filter(
        ({ method, url }) => method === 'POST' && url.endsWith('/playback'),
      );
      expect(
        begun.filter(({ authorization }) => authorization === `Bearer ${player.token}`),
      ).toHaveLength(1);
      expect(player.problems).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
