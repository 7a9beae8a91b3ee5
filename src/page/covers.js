import { trackPath } from './api.js';

/** A page of albums must not use up the listener's quota, nor the browser's connections. */
const MOST_AT_ONCE = 2;
const MOST_KEPT = 300;
const SIZE_PIXELS = 128;

/**
 * Pictures of tracks, fetched with the token when they come into sight; one for each album.
 *
 * @param {ReturnType<import('./api.js').createApi>} api
 */
export function createCovers(api) {
  /** @type {Map<string, Promise<string | undefined>>} addresses of blobs, least recently used first */
  const covers = new Map();
  /** @type {(() => void)[]} */
  const waiting = [];
  let running = 0;
  let isTooMuch = false;

  const observer = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        observer.unobserve(target);
        void show(target, wanted.get(target));
      }
    },
    { rootMargin: '100px' },
  );
  /** @type {WeakMap<Element, object>} */
  const wanted = new WeakMap();

  async function show(/** @type {HTMLElement} */ frame, track) {
    const url = await find(track);
    if (url === undefined) return;
    const image = document.createElement('img');
    image.src = url;
    image.alt = '';
    frame.replaceChildren(image);
  }

  /** @returns {Promise<string | undefined>} */
  function find(track) {
    if (!track.hasArtwork) return Promise.resolve(undefined);
    const key = track.album === null ? track.id : `${track.albumArtist}\n${track.album}`;
    const found = covers.get(key) ?? load(track);
    covers.delete(key);
    covers.set(key, found);
    if (covers.size > MOST_KEPT) forgetOldest();
    return found;
  }

  function forgetOldest() {
    const [key, url] = covers.entries().next().value;
    covers.delete(key);
    // what is shown has been decoded; it is fetched again if its row is made anew
    void url.then((address) => address !== undefined && URL.revokeObjectURL(address));
  }

  async function load(track) {
    if (running >= MOST_AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
    running += 1;
    try {
      if (isTooMuch) return undefined;
      const query = `size=${SIZE_PIXELS}&v=${encodeURIComponent(track.etag.replaceAll('"', ''))}`;
      const url = `${trackPath(track.id)}/artwork?${query}`;
      const response = await api.call(url, { isQuiet: true });
      return URL.createObjectURL(await response.blob());
    } catch (error) {
      // decoration: the quota is for music
      isTooMuch ||= error.status === 429;
      return undefined;
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  }

  return {
    find,
    /** Shows the cover in this frame once it can be seen. */
    showLater(/** @type {HTMLElement} */ frame, track) {
      wanted.set(frame, track);
      observer.observe(frame);
    },
  };
}
