import { mediaSourceType, MediaSourceClass } from './forms.js';
import { readPieces } from './pieces.js';

/** With so much left the next piece is fetched; browsers hold far more (12 MB in Chromium). */
const AHEAD_SECONDS = 25;
const BEHIND_SECONDS = 20;

/**
 * Fetches the track piece by piece with the token in a field, and hands the pieces to a
 * MediaSource. More work than a grant; for whoever wants to see and control every byte.
 *
 * @param {object} options
 * @param {HTMLAudioElement} options.audio
 * @param {ReturnType<import('./api.js').createApi>} options.api
 * @param {{ id: string, duration: number, size: number, format: string }} options.track
 * @param {{ id: string }} options.quality one that `mediaSourceType` knows
 * @param {string} options.url
 * @param {(error: unknown) => void} options.onError
 * @param {number} options.positionSeconds
 * @param {AbortSignal} options.signal
 */
export async function openMediaSource(options) {
  const { audio, track, quality, onError, positionSeconds } = options;
  const media = new MediaSourceClass();
  // what the managed one of iPhones insists on
  audio.disableRemotePlayback = true;
  const objectUrl = URL.createObjectURL(media);
  audio.src = objectUrl;
  await once(media, 'sourceopen');
  URL.revokeObjectURL(objectUrl);
  options.signal.throwIfAborted();
  if (track.duration > 0) media.duration = track.duration;
  const buffer = media.addSourceBuffer(mediaSourceType(track, quality));
  let filling = new AbortController();
  /** the fill before, which must have let go of the buffer */
  let settled = Promise.resolve();

  async function fill(/** @type {number} */ from, /** @type {AbortSignal} */ signal) {
    if (buffer.updating) await once(buffer, 'updateend');
    if (media.readyState === 'open') buffer.abort();
    if (buffer.buffered.length > 0) await update(() => buffer.remove(0, Infinity));
    const pieces = readPieces({ ...options, from, signal });
    for await (const { content, startSeconds } of pieces) {
      if (startSeconds !== undefined) buffer.timestampOffset = startSeconds;
      await hasRoom(signal);
      await append(content);
    }
    if (media.readyState === 'open') media.endOfStream();
  }

  async function append(/** @type {Uint8Array} */ content) {
    const behind = audio.currentTime - BEHIND_SECONDS;
    if (behind > 0) await update(() => buffer.remove(0, behind));
    await update(() => buffer.appendBuffer(content));
  }

  async function update(/** @type {() => void} */ change) {
    change();
    await once(buffer, 'updateend');
  }

  async function hasRoom(/** @type {AbortSignal} */ signal) {
    while (aheadSeconds() > AHEAD_SECONDS) {
      await Promise.race([once(audio, 'timeupdate', signal), once(audio, 'seeking', signal)]);
      signal.throwIfAborted();
    }
    signal.throwIfAborted();
  }

  function aheadSeconds() {
    const { buffered } = buffer;
    return buffered.length === 0 ? 0 : buffered.end(buffered.length - 1) - audio.currentTime;
  }

  function start(/** @type {number} */ seconds) {
    filling.abort();
    const { signal } = (filling = new AbortController());
    settled = settled
      .then(() => (signal.aborted ? undefined : fill(seconds, signal)))
      .catch((error) => {
        if (!signal.aborted) onError(error);
      });
  }

  start(positionSeconds);
  audio.currentTime = positionSeconds;
  return {
    position: () => audio.currentTime,
    seek(/** @type {number} */ seconds) {
      if (!covers(audio.buffered, seconds)) start(seconds);
      audio.currentTime = seconds;
    },
    close: () => filling.abort(),
  };
}

function covers(/** @type {TimeRanges} */ ranges, /** @type {number} */ seconds) {
  for (let i = 0; i < ranges.length; i += 1) {
    if (ranges.start(i) <= seconds && seconds < ranges.end(i)) return true;
  }
  return false;
}

/** Resolves with the next event of this kind; for good when the signal is aborted. */
function once(/** @type {EventTarget} */ target, /** @type {string} */ kind, signal) {
  return new Promise((resolve) => {
    target.addEventListener(kind, resolve, { once: true });
    signal?.addEventListener('abort', resolve, { once: true });
  });
}
