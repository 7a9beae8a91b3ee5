/**
 * What a track can be had as. `query` is what asks for it; `growsFirst`: has no ranges while it is
 * made, that is on its first play; `jumpsByStart`: is asked for anew from another place on.
 */
export const QUALITIES = [
  { id: 'original', name: 'Original', query: '' },
  { id: 'mp3', name: 'MP3, 192 kbit/s', query: 'format=mp3' },
  {
    id: 'opus',
    name: 'Opus, 96 kbit/s',
    query: 'format=opus',
    growsFirst: true,
    jumpsByStart: true,
  },
  { id: 'aac', name: 'AAC, 128 kbit/s', query: 'format=aac', growsFirst: true },
  { id: 'hls', name: 'HLS, adaptive', query: '' },
];

/** How the bytes are got by somebody who has a token, which an audio element cannot send. */
export const WAYS = [
  { id: 'grant', name: 'Playback grant' },
  { id: 'worker', name: 'Service Worker' },
  { id: 'fetch', name: 'fetch + MediaSource' },
];

/** Adds a query to an address that may have one. */
export function withQuery(/** @type {string} */ url, /** @type {string} */ query) {
  if (query === '') return url;
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}

/** The type that MediaSource is to take; undefined for what it takes nowhere. */
export function mediaSourceType(track, quality) {
  if (quality.id === 'aac') return 'audio/mp4; codecs="mp4a.40.2"';
  if (quality.id === 'mp3' || (quality.id === 'original' && track.format === 'mp3')) {
    return 'audio/mpeg';
  }
  return undefined;
}

/** iPhones have only the managed one. */
export const MediaSourceClass = globalThis.ManagedMediaSource ?? globalThis.MediaSource;

/**
 * The way that works for this track here, and why it is another than the one that was asked for.
 *
 * @returns {{ way: string, reason?: string }}
 */
export function chooseWay(way, track, quality) {
  if (way === 'worker' && !('serviceWorker' in navigator)) {
    return { way: 'grant', reason: 'This browser has no Service Worker here (it needs https).' };
  }
  if (way !== 'fetch' || quality.id === 'hls') return { way };
  const type = mediaSourceType(track, quality);
  if (type !== undefined && MediaSourceClass?.isTypeSupported(type)) return { way };
  const what = quality.id === 'original' ? `${track.format.toUpperCase()} files` : quality.name;
  return { way: 'grant', reason: `MediaSource does not take ${what} in this browser.` };
}
