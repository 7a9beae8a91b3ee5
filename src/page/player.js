import { Refusal, trackPath } from './api.js';
import { openElementSource } from './element-source.js';
import { chooseWay, QUALITIES, withQuery } from './forms.js';
import { openHlsSource } from './hls-source.js';
import { openMediaSource } from './media-source.js';
import { beginPlayback } from './playback.js';

/** While somebody drags or holds a key, jumps go out at most so often; the last one always does. */
const SEEK_INTERVAL_MS = 200;
const REPORT_INTERVAL_MS = 10_000;
/** A grant that ends is replaced by itself, but not again and again. */
const RENEW_INTERVAL_MS = 10_000;

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
  /** @type {Awaited<ReturnType<typeof beginPlayback>> | undefined} */
  let playback;
  /** @type {object | undefined} what feeds the element now */
  let source;
  let placeSeconds = 0;
  /** counts loads, so that one that was overtaken notices */
  let turn = 0;
  let renewedAt = -Infinity;
  let lastSeekAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let seekTimer;

  const position = () =>
    source && !state.isLoading && seekTimer === undefined ? source.position() : placeSeconds;

  async function load() {
    const mine = ++turn;
    const isStale = () => mine !== turn;
    closeSource();
    state.isLoading = true;
    hooks.changed();
    try {
      await ensurePlayback(isStale);
      if (isStale()) return;
      const opened = await openSource(isStale);
      if (isStale()) return opened.close();
      source = opened;
      state.isLoading = false;
      if (state.isPlaying) await resume();
      hooks.changed();
    } catch (error) {
      if (!isStale()) fail(error);
    }
  }

  async function ensurePlayback(/** @type {() => boolean} */ isStale) {
    const { id } = state.track;
    if (playback?.trackId === id) return;
    playback?.end();
    playback = undefined;
    const { takeover } = state;
    state.takeover = false;
    const begun = await beginPlayback(api, id, { takeover });
    if (isStale()) begun.end();
    else playback = begun;
  }

  /** Where the bytes come from: one of the three ways, in the form that was chosen. */
  async function openSource() {
    const { track, quality } = state;
    const { way, reason } = chooseWay(state.way, track, quality);
    if (reason !== undefined) hooks.noted(`${reason} Playing by playback grant instead.`);
    if (way === 'worker') await worker.start();
    else worker.stop();
    const common = { audio, positionSeconds: placeSeconds, onError: diagnose };
    const plain = trackPath(track.id);
    if (quality.id === 'hls') {
      const url = way === 'grant' ? playback.hlsUrl : `${plain}/hls/master.m3u8`;
      return openHlsSource({ ...common, url, token: way === 'fetch' ? api.token : undefined });
    }
    if (way === 'fetch') return openMediaSource({ ...common, api, track, quality });
    const base = withQuery(way === 'grant' ? playback.url : plain, quality.query);
    return openElementSource({
      ...common,
      address: (seconds) => (seconds > 0 ? withQuery(base, `start=${seconds.toFixed(3)}`) : base),
      isReady: quality.growsFirst ? () => isPrepared(track.id, quality) : undefined,
      resume: () => state.isPlaying && void resume(),
    });
  }

  /** Has a form made ahead. @returns whether it is there by now */
  async function isPrepared(trackId, quality) {
    const path = withQuery(`${trackPath(trackId)}/prepare`, quality.query);
    const { state: prepared } = await api.json(path, { method: 'POST' });
    return prepared === 'ready';
  }

  async function resume() {
    try {
      await audio.play();
    } catch (error) {
      // overtaken by another load, or a browser that wants a click first
      if (error.name === 'NotAllowedError') pause();
    }
  }

  function pause() {
    state.isPlaying = false;
    audio.pause();
    hooks.changed();
  }

  function closeSource() {
    clearTimeout(seekTimer);
    seekTimer = undefined;
    source?.close();
    source = undefined;
  }

  /** Asks for the address again: an element does not say what was answered. */
  async function diagnose(/** @type {unknown} */ error) {
    if (!source && !state.isLoading) return;
    const mine = turn;
    const address = source?.failedAddress();
    closeSource();
    let reason = error instanceof Refusal ? error : undefined;
    if (!reason && address !== undefined) {
      const isOpen = address.includes('grant=') || navigator.serviceWorker?.controller;
      const probe = { headers: { Range: 'bytes=0-0' } };
      const asked = isOpen
        ? api.callOpen(address, probe)
        : api.call(address, { ...probe, isQuiet: true });
      reason = await asked.then(
        () => undefined,
        (refusal) => refusal,
      );
    }
    if (mine === turn) recover(reason ?? new Refusal(UNPLAYABLE));
  }

  /** Goes on by itself where that is possible: with another grant, or another token. */
  async function recover(/** @type {Refusal} */ refusal) {
    const isGrantOver = refusal.code === 'grant_ended' || refusal.code === 'invalid_grant';
    if (isGrantOver && performance.now() - renewedAt > RENEW_INTERVAL_MS) {
      renewedAt = performance.now();
      dropPlayback();
      hooks.noted('This playback had been ended. It goes on with a new one.');
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

  function dropPlayback() {
    playback?.forget();
    playback = undefined;
  }

  function fail(/** @type {unknown} */ error) {
    closeSource();
    turn += 1;
    state.isLoading = false;
    state.isPlaying = false;
    hooks.changed();
    if (error instanceof Refusal) hooks.refused(error);
    else hooks.refused(new Refusal({ ...UNPLAYABLE, message: String(error) }));
  }

  function report(/** @type {'playing' | 'paused' | 'stopped'} */ what) {
    const reported = playback;
    reported?.report(position(), what).catch((error) => {
      // the element may have all of the track: only this tells that it was ended
      if (reported === playback && error.status === 403) {
        closeSource();
        void recover(error);
      }
    });
  }

  function seekNow() {
    seekTimer = undefined;
    lastSeekAt = performance.now();
    Promise.resolve(source?.seek(placeSeconds)).catch(diagnose);
  }

  audio.addEventListener('timeupdate', () => {
    if (!source || state.isLoading) return;
    placeSeconds = position();
    hooks.moved();
  });
  audio.addEventListener('error', () => void diagnose());
  audio.addEventListener('ended', () => {
    report('stopped');
    state.isPlaying = false;
    placeSeconds = 0;
    hooks.ended();
    hooks.changed();
  });
  audio.addEventListener('pause', () => {
    if (state.isLoading || audio.ended || !source) return;
    report('paused');
    // by the keys of a headset, or the system
    state.isPlaying = false;
    hooks.changed();
  });
  audio.addEventListener('playing', () => report('playing'));
  for (const kind of ['waiting', 'canplay', 'playing', 'seeked']) {
    audio.addEventListener(kind, hooks.changed);
  }
  setInterval(() => state.isPlaying && source && report('playing'), REPORT_INTERVAL_MS);
  addEventListener('pagehide', () => {
    report('stopped');
    playback?.end();
    dropPlayback();
  });

  return {
    state,
    position,
    duration: () => state.track?.duration ?? audio.duration,
    isBuffering: () => state.isLoading || (state.isPlaying && audio.readyState < 3),
    /** Takes a track without asking for anything yet. */
    cue(track, startSeconds = 0) {
      if (source) report('stopped');
      turn += 1;
      closeSource();
      state.isLoading = false;
      state.track = track;
      placeSeconds = startSeconds;
      hooks.changed();
      hooks.moved();
    },
    play({ takeover = false } = {}) {
      if (!state.track) return;
      state.isPlaying = true;
      state.takeover = takeover;
      if (source) void resume();
      else if (!state.isLoading) void load();
      hooks.changed();
    },
    pause,
    seek(/** @type {number} */ seconds) {
      if (!state.track) return;
      const end = state.track.duration ?? Infinity;
      placeSeconds = Math.min(Math.max(0, seconds), Math.max(0, end - 0.2));
      if (source && seekTimer === undefined) {
        const wait = lastSeekAt + SEEK_INTERVAL_MS - performance.now();
        if (wait <= 0) seekNow();
        else seekTimer = setTimeout(seekNow, wait);
      }
      hooks.moved();
    },
    setForm({ quality = state.quality, way = state.way }) {
      placeSeconds = position();
      Object.assign(state, { quality, way });
      if (source || state.isLoading) void load();
      hooks.changed();
    },
    /** Has the form of the next track made while this one plays; best effort. */
    async prepare(track) {
      if (state.quality.query === '') return;
      const path = withQuery(`${trackPath(track.id)}/prepare`, state.quality.query);
      await api.call(path, { method: 'POST', isQuiet: true }).catch(() => undefined);
    },
  };
}

const UNPLAYABLE = { status: 0, code: 'unplayable', message: 'The browser cannot play this' };
