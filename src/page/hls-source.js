import { Refusal } from './api.js';

/** Half a minute ahead: a few segments, which are encoded when they are asked for. */
const AHEAD_SECONDS = 30;

/**
 * Plays HLS by hls.js; by the browser itself where that can, and hls.js cannot.
 *
 * @param {object} options
 * @param {HTMLAudioElement} options.audio
 * @param {string} options.url of the Multivariant Playlist; with a grant all it names has it as well
 * @param {(() => string | undefined) | undefined} options.token for each request, where no grant
 *   and no Service Worker opens them
 * @param {(error: unknown) => void} options.onError
 * @param {number} options.positionSeconds
 * @param {AbortSignal} options.signal
 */
export async function openHlsSource({ audio, url, token, onError, positionSeconds, signal }) {
  // 370 kB, for those who want it
  const { default: Hls } = await import('/player/hls.js');
  signal.throwIfAborted();
  const common = {
    position: () => audio.currentTime,
    seek(/** @type {number} */ seconds) {
      audio.currentTime = seconds;
    },
  };

  if (!Hls.isSupported()) {
    if (token !== undefined || audio.canPlayType('application/vnd.apple.mpegurl') === '') {
      throw new Refusal({ status: 0, code: 'unsupported', message: 'This browser plays no HLS' });
    }
    audio.src = url;
    audio.currentTime = positionSeconds;
    return common;
  }

  const hls = new Hls({
    // fragmented MP4 goes to the browser as it is: nothing for a worker to do
    enableWorker: false,
    startPosition: positionSeconds,
    maxBufferLength: AHEAD_SECONDS,
    ...(token === undefined
      ? {}
      : { xhrSetup: (xhr) => xhr.setRequestHeader('Authorization', `Bearer ${token()}`) }),
  });
  hls.on(Hls.Events.ERROR, (_event, { fatal, details, response }) => {
    // what was refused in one variant is in all: hls.js would try them in turn, and then again
    const isRefused = response?.code >= 400 && response.code < 500;
    if (fatal || isRefused) onError(details);
  });
  hls.loadSource(url);
  hls.attachMedia(audio);
  // until its media is attached, the element would tell of the place before
  let isAttached = false;
  hls.once(Hls.Events.MEDIA_ATTACHED, () => (isAttached = true));
  return {
    ...common,
    position: () => (isAttached && audio.readyState > 0 ? audio.currentTime : positionSeconds),
    close: () => hls.destroy(),
  };
}
