import { Refusal, trackPath } from './api.js';
import { openElementSource } from './element-source.js';
import { chooseWay, withQuery } from './forms.js';
import { openHlsSource } from './hls-source.js';
import { openMediaSource } from './media-source.js';

/**
 * What feeds the audio element: one of the three ways, in one of the forms.
 *
 * @typedef {object} Source
 * @property {() => number} position seconds in the track
 * @property {(seconds: number) => unknown} seek
 * @property {() => Promise<Response>} probe asks for its first byte, the way it was asked for
 * @property {() => void} [close] gives up what it holds beside the element
 */

/**
 * Begins to load a track. Leaves the element alone once the signal is aborted: it is another's then.
 *
 * @param {object} deps
 * @param {HTMLAudioElement} deps.audio
 * @param {ReturnType<import('./api.js').createApi>} deps.api
 * @param {ReturnType<import('./worker-link.js').createWorkerLink>} deps.worker
 * @param {(text: string) => void} deps.noted
 * @param {object} wanted
 * @param {object} wanted.track
 * @param {object} wanted.quality
 * @param {string} wanted.way
 * @param {{ url: string, hlsUrl: string }} wanted.playback
 * @param {number} wanted.positionSeconds
 * @param {AbortSignal} wanted.signal
 * @param {() => void} wanted.resume to be called after another address was set
 * @param {(error: unknown) => void} wanted.onError
 * @returns {Promise<Source>}
 */
export async function openSource({ audio, api, worker, noted }, wanted) {
  const { track, quality, playback, signal, positionSeconds, onError } = wanted;
  let { way, reason } = chooseWay(wanted.way, track, quality);
  if (way === 'worker' && !(await worker.start())) {
    [way, reason] = ['grant', 'This browser lets no Service Worker start here.'];
  }
  signal.throwIfAborted();
  if (way !== 'worker') worker.stop();
  if (reason !== undefined) noted(`${reason} Playing by playback grant instead.`);

  const plain = trackPath(track.id);
  // what the browser has of this state of the track it need not ask for again
  const stateful = withQuery(plain, `v=${track.etag.replaceAll('"', '')}`);
  // an audio element sends nothing but the address; so the probe must not send more either
  const send =
    way === 'fetch' ? (url, init) => api.call(url, { ...init, isQuiet: true }) : api.callOpen;
  const probe = (url) => () => send(url, { headers: { Range: 'bytes=0-0' }, cache: 'no-store' });
  const common = { audio, signal, positionSeconds, onError };

  if (quality.id === 'hls') {
    const url = way === 'grant' ? playback.hlsUrl : `${plain}/hls/master.m3u8`;
    const token = way === 'fetch' ? api.token : undefined;
    return { ...(await openHlsSource({ ...common, url, token })), probe: probe(url) };
  }
  const url = withQuery(way === 'grant' ? playback.url : stateful, quality.query);
  if (way === 'fetch') {
    return {
      ...(await openMediaSource({ ...common, api, track, quality, url })),
      probe: probe(url),
    };
  }
  const opened = await openElementSource({
    ...common,
    address: (seconds) => (seconds > 0 ? withQuery(url, `start=${seconds.toFixed(3)}`) : url),
    isReady: quality.growsFirst ? () => prepare(api, track, quality) : undefined,
    jumpsByStart: quality.jumpsByStart,
    resume: wanted.resume,
  });
  return { ...opened, probe: probe(url) };
}

/**
 * Has a form of a track made ahead.
 *
 * @returns {Promise<boolean>} whether it is there by now
 */
export async function prepare(api, track, quality, init = {}) {
  const path = withQuery(`${trackPath(track.id)}/prepare`, quality.query);
  const { state } = await api.json(path, { ...init, method: 'POST' });
  return state === 'ready';
}

/**
 * Why a source failed. An element does not say what was answered, so it is asked for again.
 *
 * @param {Source | undefined} source
 * @param {unknown} error what is known already
 */
export async function findReason(source, error) {
  if (error instanceof Refusal) return error;
  const answer = await source?.probe().catch((refusal) => refusal);
  if (answer instanceof Refusal) return answer;
  return new Refusal({ status: 0, code: 'unplayable', message: 'The browser cannot play this' });
}
