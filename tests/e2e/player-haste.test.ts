import { join } from 'node:path';
import { ffmpeg } from '../support/audio-files';
import { itInChromium } from '../support/chromium';
import { untilInPage, usePlayer } from '../support/player-page';

const TIMEOUT_MS = 60_000;
const SECONDS = 150;
const PART = 0.4;
const PLACE = SECONDS * PART;

const suite = usePlayer(async (library) => {
  const input = ['-f', 'lavfi', '-i', `sine=330:d=${SECONDS}`];
  await ffmpeg([...input, '-metadata', 'title=Long Song', join(library, 'long.mp3')]);
});

describe('the player page in haste', () => {
  itInChromium(
    'jumps to where it was told while a form was opened',
    async () => {
      const player = await suite.open();
      await player.play('Long Song');
      let open = (): void => undefined;
      const isOpen = new Promise<void>((resolve) => (open = resolve));
      await player.page.route('**/prepare?*', async (route) => {
        await isOpen;
        await route.continue();
      });
      const asked = player.page.waitForRequest('**/prepare?*');
      await player.choose('quality', 'aac');
      await asked;
      await player.seekTo(PART);
      open();
      await player.untilPlayingFrom(PLACE + 0.1);
      expect(await player.position()).toBeLessThan(PLACE + 20);
    },
    TIMEOUT_MS,
  );

  itInChromium.each(['opus', 'hls'])(
    'keeps the place where one form is chosen before the one before it was there: %s',
    async (quality) => {
      const player = await suite.open();
      await player.play('Long Song');
      await player.seekTo(PART);
      await player.untilPlayingFrom(PLACE);
      // never answered
      await player.page.route(/format=mp3/, () => undefined);
      await player.choose('quality', 'mp3');
      await untilInPage(player.page, `document.getElementById('audio').src.includes('format=mp3')`);
      await player.choose('quality', quality);
      await player.untilPlayingFrom(PLACE + 0.1);
      expect(await player.position()).toBeLessThan(PLACE + 20);
    },
    TIMEOUT_MS,
  );
});
