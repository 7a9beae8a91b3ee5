import { Refusal } from './api.js';
import { QUALITIES } from './forms.js';
import { createHeldPlayback } from './held-playback.js';
import { createReports } from './reports.js';
import { findReason, openSource, prepare } from './sources.js';

/** While somebody drags or holds a key, jumps go out at most so often; the last one always does. */
const SEEK_INTERVAL_MS = 200;
/** A grant that ends is replaced by itself, and a failure tried again, but not again and again. */
const RETRY_INTERVAL_MS = 10_000;
/** A jump to the very end would be the next track. */
const BEFORE_END_SECONDS = 0.2;

/**
 * Plays one track at a time, in any quality and way, and keeps the place through every change.
 *
 * @param {object} deps
 * @param {HTMLAudioElement} deps.audio
 * @param {ReturnType<import('./api.js').createApi>} deps.api
 * @param {ReturnType<import('./worker-link.js').createWorkerLink>} deps.worker
 * @param {object} deps.hooks
 * @param {() => void} deps.hooks.changed another track, state or form
 * @param {() => void} deps.hooks.moved the place changed
 * @param {() => void} deps.hooks.ended the track is over
 * @param {(refusal: Refusal) => void} deps.hooks.refused
 * @param {(text: string) => void} deps.hooks.noted something the listener may want to know
 */
export function createPlayer({ audio, api, worker, hooks }) {
  const state = {
    /** @type {object | undefined} */ track: undefined,
    quality: QUALITIES[0],
    way: 'grant',
    /** what the listener wants; the element may lag behind */
    isPlaying: false,
    isLoading: false,
  };
  /** @type {import('./sources.js').Source | undefined} */
  let source;
  let placeSeconds = 0;
  /** of the load that counts; the ones before it are aborted */
  let loading = new AbortController();
  let retriedAt = -Infinity;
  let lastSeekAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let seekTimer;

  const position = () => (source && seekTimer === undefined ? source.position() : placeSeconds);
  const reports = createReports({ audio, position, onRefused: recover });
  const playbacks = createHeldPlayback({ api, reports });

  async function load({ takeover = false } = {}) {
    unload();
    const { signal } = loading;
    state.isLoading = true;
    hooks.changed();
    try {
      const playback = await playbacks.ensure(state.track.id, { takeover, signal });
      const { track, quality, way } = state;
      const wanted = { track, quality, way, playback, signal, positionSeconds: placeSeconds };
      const onError = (error) => signal.aborted || void diagnose(error);
      const opened = await openSource(
        { audio, api, worker, noted: hooks.noted },
        { ...wanted, onError, resume: () => state.isPlaying && void resume() },
      );
      if (signal.aborted) {
        opened.close?.();
        return;
      }
      source = opened;
      state.isLoading = false;
      // a jump that came meanwhile
      if (placeSeconds !== wanted.positionSeconds) seekNow();
      if (state.isPlaying) void resume();
      hooks.changed();
    } catch (error) {
      if (!signal.aborted) fail(error);
    }
  }

  /** Gives up whatever plays or is about to; the place is kept. */
  function unload() {
    loading.abort();
    loading = new AbortController();
    placeSeconds = position();
    clearTimeout(seekTimer);
    seekTimer = undefined;
    source?.close?.();
    source = undefined;
    state.isLoading = false;
    audio.removeAttribute('src');
    audio.load();
    // a place that was set before its track was there would be that of the next
    audio.currentTime = 0;
  }

  async function resume() {
    try {
      await audio.play();
    } catch (error) {
      // else overtaken by another load; this is a browser that wants a click first
      if (error.name === 'NotAllowedError') pause();
    }
  }

  function pause() {
    state.isPlaying = false;
    audio.pause();
    hooks.changed();
  }

  async function diagnose(/** @type {unknown} */ error) {
    const failed = source;
    unload();
    const { signal } = loading;
    state.isLoading = true;
    const reason = await findReason(failed, error);
    if (!signal.aborted) await recover(reason);
  }

  /** Goes on by itself where that is possible: with another grant, or another token. */
  async function recover(/** @type {Refusal} */ refusal) {
    const isGrantOver = refusal.code === 'grant_ended' || refusal.code === 'invalid_grant';
    if (isGrantOver) playbacks.forget();
    // asked for again the service had an answer: what failed may have passed
    const isPassing = isGrantOver || refusal.code === 'unplayable';
    if (isPassing && performance.now() - retriedAt > RETRY_INTERVAL_MS) {
      retriedAt = performance.now();
      if (isGrantOver) hooks.noted('This playback was ended elsewhere. It goes on with a new one.');
      return load();
    }
    if (refusal.status !== 401) return fail(refusal);
    try {
      await api.renewToken();
      return load();
    } catch (declined) {
      return fail(declined);
    }
  }

  function fail(/** @type {unknown} */ error) {
    unload();
    state.isPlaying = false;
    hooks.changed();
    const isRefusal = error instanceof Refusal;
    hooks.refused(
      isRefusal ? error : new Refusal({ status: 0, code: 'unplayable', message: String(error) }),
    );
  }

  function placeWithin(/** @type {number} */ seconds) {
    const end = (state.track.duration ?? Infinity) - BEFORE_END_SECONDS;
    return Math.max(0, Math.min(seconds, end));
  }

  function seekNow() {
    seekTimer = undefined;
    lastSeekAt = performance.now();
    const { signal } = loading;
    Promise.resolve(source?.seek(placeSeconds)).catch(
      (error) => signal.aborted || void diagnose(error),
    );
  }

  audio.addEventListener('timeupdate', () => {
    if (source) hooks.moved();
  });
  audio.addEventListener('error', () => {
    if (source) void diagnose();
  });
  audio.addEventListener('ended', () => {
    reports.say('stopped');
    state.isPlaying = false;
    hooks.changed();
    hooks.ended();
  });
  audio.addEventListener('pause', () => {
    if (audio.ended || !source) return;
    reports.say('paused');
    // by the keys of a headset, or the system
    state.isPlaying = false;
    hooks.changed();
  });
  for (const kind of ['waiting', 'canplay', 'playing', 'seeked']) {
    audio.addEventListener(kind, hooks.changed);
  }
  addEventListener('pagehide', () => {
    unload();
    state.isPlaying = false;
    playbacks.leave();
  });

  return {
    state,
    position,
    duration: () => state.track?.duration ?? audio.duration,
    isBuffering: () => state.isLoading || (state.isPlaying && audio.readyState < 3),
    /** Takes a track without asking for anything yet. */
    cue(track, startSeconds = 0) {
      unload();
      if (state.track !== track) playbacks.end();
      Object.assign(state, { track, isPlaying: false });
      placeSeconds = placeWithin(startSeconds);
      hooks.changed();
    },
    play({ takeover = false } = {}) {
      if (!state.track) return;
      state.isPlaying = true;
      if (source && audio.ended) {
        placeSeconds = 0;
        seekNow();
      }
      if (source) void resume();
      else if (!state.isLoading) void load({ takeover });
      hooks.changed();
    },
    pause,
    seek(/** @type {number} */ seconds) {
      if (!state.track) return;
      placeSeconds = placeWithin(seconds);
      if (source && seekTimer === undefined) {
        const wait = lastSeekAt + SEEK_INTERVAL_MS - performance.now();
        if (wait <= 0) seekNow();
        else seekTimer = setTimeout(seekNow, wait);
      }
      hooks.moved();
    },
    setForm({ quality = state.quality, way = state.way }) {
      Object.assign(state, { quality, way });
      if (source || state.isLoading) void load();
      hooks.changed();
    },
    /** Has the form of the next track made while this one plays; best effort. */
    prepareNext(track) {
      if (state.quality.query === '') return;
      prepare(api, track, state.quality, { isQuiet: true }).catch(() => undefined);
    },
  };
}
