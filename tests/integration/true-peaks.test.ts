import { join } from 'node:path';
import { TRANSCODE_BITRATES } from '../../src/services/transcode-options';
import { ffmpeg } from '../support/audio-files';
import { startApp, type TestApp } from '../support/build-app';
import { send } from '../support/http-client';
import { measureLoudness, type MeasuredLoudness } from '../support/measure-loudness';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const library = createTempFolder();
const AUTHORIZATION = bearer();
const TARGET_LUFS = -14;
const LIMIT_DBTP = -1;
const METER_DB = 0.1;

/** Bursts with long silence between, so that the peaks and not the loudness decide the level. */
const inBurst = (seconds: number, sound: string): string => `lt(mod(t\\,4)\\,${seconds})*${sound}`;
const both = (sound: string): string => `${sound}|${sound}`;
const HOSTILE: Readonly<Record<string, string>> = {
  square: `${inBurst(0.15, '0.97*sgn(sin(2*PI*997*t))')}|${inBurst(0.15, '0.97*sgn(sin(2*PI*441*t))')}`,
  noise: both(inBurst(0.15, 'clip(4*(2*random(0)-1)\\,-0.99\\,0.99)')),
  transients:
    '0.98*exp(-mod(t\\,2)*60)*sgn(sin(2*PI*3000*t+1))' +
    '|0.98*exp(-mod(t+0.1\\,2)*200)*sin(2*PI*9000*t)',
  clicks: both('0.9*(eq(mod(n\\,11025)\\,9)-eq(mod(n\\,11025)\\,10))+0.02*sin(440*2*PI*t)'),
};
/** drums over chords, with some room above */
const MUSIC = both(
  '0.13*(sin(2*PI*220*t)+sin(2*PI*277*t)+sin(2*PI*330*t))' +
    '+0.4*exp(-mod(t\\,0.5)*40)*sin(2*PI*90*t)',
);

let app: TestApp;

beforeAll(async () => {
  for (const [name, sound] of Object.entries({ ...HOSTILE, music: MUSIC })) {
    const input = ['-f', 'lavfi', '-i', `aevalsrc=${sound}:s=44100:d=4`];
    await ffmpeg([...input, join(library, `${name}.wav`)]);
  }
  app = await startApp({ AUDIO_FILES_DIR: library, CACHE_DIR: createTempFolder() });
}, 60_000);

afterAll(async () => {
  await app.close();
  removeTempFolders();
});

async function leveled(name: string, form: string): Promise<MeasuredLoudness> {
  const path = `/api/stream/${name}?gain=track&format=${form}`;
  const answer = await send(app.port, path, { headers: { authorization: AUTHORIZATION } });
  expect(answer.status).toBe(200);
  return measureLoudness(answer.content);
}

describe.each(Object.keys(HOSTILE))('hostile %s with gain=track', (name) => {
  it.each(['mp3', 'aac', 'opus', 'flac'] as const)(
    'as %s has no peaks above the limit',
    async (format) => {
      const all = TRANSCODE_BITRATES[format];
      // squares are the worst for most; of the others the ends of the table tell
      const tried = name === 'square' ? all : [...all.slice(0, 1), ...all.slice(-1)];
      const rates = tried.map((rate) => `${format}&bitrate=${rate}`);
      // one channel of AAC has a row of its own
      if (format === 'aac') rates.push('aac&bitrate=64&channels=1', 'aac&bitrate=128&channels=1');
      const forms = rates.length === 0 ? [format] : rates;
      const tooLoud: unknown[] = [];
      for (const form of forms) {
        const { peakDbtp } = await leveled(name, form);
        if (!(peakDbtp <= LIMIT_DBTP + METER_DB)) tooLoud.push([form, peakDbtp]);
      }
      expect(tooLoud).toEqual([]);
    },
    60_000,
  );
});

describe('music with gain=track', () => {
  it.each(['mp3', 'mp3&bitrate=64', 'aac', 'aac&bitrate=256', 'opus', 'opus&bitrate=192', 'flac'])(
    'as %s is as loud as it was aimed at',
    async (form) => {
      const { lufs, peakDbtp } = await leveled('music', form);
      expect(Math.abs(lufs - TARGET_LUFS)).toBeLessThanOrEqual(0.5);
      expect(peakDbtp).toBeLessThanOrEqual(LIMIT_DBTP + METER_DB);
    },
  );
});
