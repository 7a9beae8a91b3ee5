import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch, type Browser } from 'puppeteer-core';
import { findProgram } from './find-program';
import { createTempFolder } from './temp-folder';

const executable = findProgram('firefox-esr') ?? findProgram('firefox');

/** In CI a browser that is missing is a failure. */
export const itInFirefox: jest.It =
  executable === undefined && process.env.CI === undefined ? it.skip : it;

/**
 * The Firefox of the system, by WebDriver BiDi; Playwright drives none but a build of its own. It plays to
 * a device that takes sound as fast as it comes: without any it refuses to play, and machines for
 * tests have none.
 *
 * @returns undefined where there is no Firefox
 */
export async function launchFirefox(): Promise<Browser | undefined> {
  if (executable === undefined) return undefined;
  const devices = join(createTempFolder(), 'asound.conf');
  writeFileSync(devices, 'pcm.!default { type null }\nctl.!default { type null }\n');
  return launch({
    browser: 'firefox',
    executablePath: executable,
    env: { ...process.env, ALSA_CONFIG_PATH: devices },
    extraPrefsFirefox: {
      'media.cubeb.backend': 'alsa',
      // nobody would click
      'media.autoplay.default': 0,
      'media.autoplay.blocking_policy': 0,
    },
  });
}
