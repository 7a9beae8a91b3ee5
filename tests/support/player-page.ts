import { type RequestListener } from 'node:http';
import { type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { createRequestListener } from '../../src/app';
import { startApp, type TestApp } from './build-app';
import { launchChromium } from './chromium';
import { signToken } from './sign-token';
import { createTempFolder, removeTempFolders } from './temp-folder';
import { until } from './until';

/** A request as the service got it. */
export interface SeenRequest {
  readonly method: string;
  /** path and query */
  readonly url: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  /** of the answer, once it began */
  status: number;
}

/** The service with its page, in this process, so that all it is asked can be seen. */
export interface PlayerService {
  readonly app: TestApp;
  readonly origin: string;
  /** in the order of their arrival */
  readonly requests: SeenRequest[];
  /** moves the clock by which tokens and grants end */
  skipSeconds(seconds: number): void;
}

export async function startPlayerService(
  env: Readonly<Record<string, string>>,
): Promise<PlayerService> {
  const requests: SeenRequest[] = [];
  let skippedMs = 0;
  const app = await startApp(
    { PLAYER_PAGE: 'true', CACHE_DIR: createTempFolder(), ...env },
    { clock: () => Date.now() + skippedMs },
    (container) => watch(createRequestListener(container), requests),
  );
  app.container.catalogue.start();
  await until(() => app.container.catalogue.state().isComplete, 'the library is known');
  return {
    app,
    origin: `http://127.0.0.1:${app.port}`,
    requests,
    skipSeconds(seconds) {
      skippedMs += seconds * 1000;
    },
  };
}

function watch(listener: RequestListener, requests: SeenRequest[]): RequestListener {
  return (req, res) => {
    const { method = '', url = '', headers } = req;
    const { range, authorization } = headers;
    const seen = { method, url, range, authorization, status: 0 };
    requests.push(seen);
    res.once('close', () => (seen.status = res.statusCode));
    listener(req, res);
  };
}

/** What was asked for to be played: the track, or parts of its HLS. */
export function isMedia({ method, url }: SeenRequest): boolean {
  return method === 'GET' && /^\/api\/stream\/[^/?]+(?:\/hls\/[^?]+|)(?:\?|$)/.test(url);
}

/** The player page in a browser of its own storage. */
export interface PlayerPage {
  readonly page: Page;
  readonly token: string;
  /** errors on the console, exceptions nobody caught, violations of the policy */
  readonly problems: string[];
  /** Chooses a track by its title, and waits until it really plays. */
  readonly play: (title: string) => Promise<void>;
  readonly choose: (menu: 'quality' | 'way', id: string) => Promise<void>;
  /** Jumps by the seek bar, to a part of the track. */
  readonly seekTo: (part: number) => Promise<void>;
  /** seconds in the track, by the seek bar */
  readonly position: () => Promise<number>;
  /** Waits until sound comes from there or later. */
  readonly untilPlayingFrom: (seconds: number) => Promise<void>;
  /** text of what the page has to say */
  readonly untilNotice: (text: RegExp) => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface OpenOptions extends BrowserContextOptions {
  readonly token?: string;
  /** behind the token: `&track=...` */
  readonly fragment?: string;
}

const STEP_TIMEOUT_MS = 20_000;
const POLL_MS = 20;
const LOOKS_MS = 500;
/** The element plays, and has gone on since. */
const IS_PLAYING = `(from) => {
  const audio = document.getElementById('audio');
  const place = Number(document.getElementById('seek').value);
  return !audio.paused && !audio.seeking && audio.readyState > 2 && audio.currentTime > 0.05 && place > from;
}`;

/** The notice shows, and says that. */
const SAYS = `(source) => {
  const notice = document.getElementById('notice');
  return !notice.hidden && new RegExp(source, 'is').test(notice.textContent);
}`;
/** For whoever reads that something did not happen. */
const STATE = `JSON.stringify([audio.src, audio.currentTime, audio.paused, audio.readyState, notice.textContent])`;

/** Looks again and again, for a while: each look from outside costs three processes more than the look. */
const LOOKS = `(isSo) => new Promise((resolve) => {
  const until = performance.now() + ${LOOKS_MS};
  (function look() {
    if (isSo()) resolve(true);
    else if (performance.now() > until) resolve(false);
    else setTimeout(look, ${POLL_MS});
  })();
})`;

/**
 * Waits until an expression is true in the page. Not by `waitForFunction()`, which evaluates text in
 * the page itself: its policy forbids that.
 */
export async function untilInPage(page: Page, expression: string): Promise<void> {
  const deadline = Date.now() + STEP_TIMEOUT_MS;
  while (!(await page.evaluate(`(${LOOKS})(() => ${expression})`))) {
    if (Date.now() > deadline) {
      throw new Error(`not ${expression}: ${String(await page.evaluate(STATE))}`);
    }
  }
}

async function openPlayer(
  browser: Browser,
  { origin }: PlayerService,
  { token = signToken(), fragment = '', ...options }: OpenOptions = {},
): Promise<PlayerPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(STEP_TIMEOUT_MS);
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.goto(`${origin}/#token=${token}${fragment}`);

  const untilPlayingFrom = (seconds: number): Promise<void> =>
    untilInPage(page, `(${IS_PLAYING})(${seconds})`);
  const position = (): Promise<number> =>
    page.evaluate(`Number(document.getElementById('seek').value)`);

  return {
    page,
    token,
    problems,
    position,
    untilPlayingFrom,
    async play(title) {
      await page.click(`.track:has-text("${title}")`);
      await untilPlayingFrom(0.1);
    },
    async choose(menu, id) {
      await page.selectOption(`#${menu}`, id);
    },
    async seekTo(part) {
      await page.evaluate(`(() => {
        const seek = document.getElementById('seek');
        seek.value = ${part} * seek.max;
        seek.dispatchEvent(new Event('input'));
        seek.dispatchEvent(new Event('change'));
      })()`);
    },
    async untilNotice(text) {
      await untilInPage(page, `(${SAYS})(${JSON.stringify(text.source)})`);
    },
    async close() {
      await context.close();
    },
  };
}

/** Three steps, of which each may take as long as a test. */
const SET_UP_TIMEOUT_MS = 180_000;

/** Library, service and browser of a suite. */
export interface PlayerSuite {
  readonly library: string;
  readonly service: PlayerService;
  /** only in tests that are for Chromium */
  readonly browser: Browser;
  /** Opens the page, for the rest of the test, and waits for its tracks where it has a token. */
  open(options?: OpenOptions, service?: PlayerService): Promise<PlayerPage>;
  /** Another service on the same library, for the rest of the test. */
  startOther(env?: Readonly<Record<string, string>>): Promise<PlayerService>;
}

/** Sets all up before the tests of a suite, and takes it down behind them. */
export function usePlayer(
  makeTracks: (library: string) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): PlayerSuite {
  const library = createTempFolder();
  const opened: { close(): Promise<void> }[] = [];
  let service: PlayerService;
  let browser: Browser | undefined;

  const closeOpened = async (): Promise<void> => {
    for (const one of opened.splice(0).reverse()) await one.close();
  };

  beforeAll(async () => {
    await makeTracks(library);
    service = await startPlayerService({ AUDIO_FILES_DIR: library, ...env });
    browser = await launchChromium();
  }, SET_UP_TIMEOUT_MS);
  afterEach(closeOpened);
  afterAll(async () => {
    await browser?.close();
    await service.app.close();
    removeTempFolders();
  }, SET_UP_TIMEOUT_MS);

  return {
    library,
    get service() {
      return service;
    },
    get browser() {
      if (!browser) throw new TypeError('there is no Chromium');
      return browser;
    },
    async open(options = {}, at = service) {
      const player = await openPlayer(this.browser, at, options);
      opened.push(player);
      if (options.token !== '') await player.page.waitForSelector('.track');
      return player;
    },
    async startOther(further = {}) {
      const other = await startPlayerService({ AUDIO_FILES_DIR: library, ...further });
      opened.push(other.app);
      return other;
    },
  };
}
