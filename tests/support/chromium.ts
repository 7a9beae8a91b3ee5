import { chromium, type Browser } from 'playwright-core';
import { findProgram } from './find-program';

const executable = findProgram('chromium');

/** In CI a browser that is missing is a failure. */
export const itInChromium: jest.It =
  executable === undefined && process.env.CI === undefined ? it.skip : it;

/** @returns undefined where there is no Chromium */
export async function launchChromium(): Promise<Browser | undefined> {
  if (executable === undefined) return undefined;
  return chromium.launch({
    executablePath: executable,
    // containers have no user namespaces, and nobody who would click
    args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required'],
  });
}
