import { formatTime, speakTime } from './times.js';

const PAGE_SIZE = 50;
const AGAIN_MS = 5_000;

/**
 * The library, page by page as one scrolls.
 *
 * @param {object} deps
 * @param {{ list: HTMLElement, more: HTMLButtonElement, count: HTMLElement }} deps.elements
 * @param {ReturnType<import('./api.js').createApi>} deps.api
 * @param {ReturnType<import('./covers.js').createCovers>} deps.covers
 * @param {(track: object) => void} deps.onChoose
 * @param {(error: unknown) => void} deps.onError
 */
export function createTrackList({ elements, api, covers, onChoose, onError }) {
  const { list, more, count } = elements;
  /** @type {{ track: object, button: HTMLButtonElement }[]} */
  let rows = [];
  let search = '';
  /** @type {string | null} */
  let cursor = null;
  let currentId;
  let turn = 0;
  let loading;

  /** @returns whether there came more */
  function loadMore() {
    loading ??= loadPage().finally(() => (loading = undefined));
    return loading;
  }

  async function loadPage() {
    const mine = turn;
    const query = new URLSearchParams({ limit: String(PAGE_SIZE) });
    if (search !== '') query.set('search', search);
    if (cursor !== null) query.set('cursor', cursor);
    try {
      const { tracks, nextCursor, total } = await api.json(`/api/stream?${query}`);
      if (mine !== turn) return false;
      const added = tracks.map((track) => createRow(track));
      rows.push(...added);
      list.append(...added.map(({ item }) => item));
      cursor = nextCursor;
      count.textContent = describeCount(total, search);
      more.hidden = cursor === null;
      // whoever has come to the new end meanwhile has not left it, as an observer sees it
      end.unobserve(more);
      end.observe(more);
      showCurrent(currentId);
      // a library that is looked through for the first time has more to show soon
      if (total === 0 && search === '')
        setTimeout(() => mine === turn && void loadMore(), AGAIN_MS);
      return added.length > 0;
    } catch (error) {
      if (mine !== turn) return false;
      if (rows.length === 0) count.textContent = '';
      onError(error);
      return false;
    }
  }

  async function find(/** @type {string} */ text) {
    turn += 1;
    search = text;
    cursor = null;
    // the page before may still be on its way: its answer counts for nothing
    loading = undefined;
    rows = [];
    more.hidden = true;
    list.setAttribute('aria-busy', 'true');
    const before = [...list.children];
    await loadMore();
    for (const item of before) item.remove();
    list.removeAttribute('aria-busy');
  }

  function createRow(track) {
    const item = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'track';
    const cover = document.createElement('span');
    cover.className = 'cover';
    cover.setAttribute('aria-hidden', 'true');
    const time = span('duration', formatTime(track.duration));
    time.setAttribute('aria-hidden', 'true');
    const names = document.createElement('span');
    names.className = 'names';
    names.append(span('title', track.title), span('artist', track.artist));
    button.append(cover, names, span('album', track.album ?? ''), time);
    if (track.duration !== null) button.append(span('visually-hidden', speakTime(track.duration)));
    button.addEventListener('click', () => onChoose(track));
    item.append(button);
    if (track.hasArtwork) covers.showLater(cover, track);
    return { track, button, item };
  }

  function showCurrent(/** @type {string | undefined} */ id) {
    currentId = id;
    for (const { track, button } of rows) {
      if (track.id === id) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    }
  }

  more.addEventListener('click', () => void loadMore());
  const end = new IntersectionObserver(
    (seen) => seen.at(-1).isIntersecting && rows.length > 0 && void loadMore(),
    { rootMargin: '400px' },
  );

  return {
    find,
    loadMore,
    showCurrent,
    /** The track so many places on; more are loaded where the list has not come so far. */
    async neighbour(/** @type {string} */ id, /** @type {1 | -1} */ step) {
      const at = rows.findIndex(({ track }) => track.id === id);
      if (at < 0) return rows[0]?.track;
      if (at + step >= rows.length && cursor !== null) await loadMore();
      return rows[at + step]?.track;
    },
    /** Moves the focus along the list. @returns false where the focus is not in it */
    moveFocus(/** @type {1 | -1} */ step) {
      const at = rows.findIndex(({ button }) => button === document.activeElement);
      if (at < 0) return false;
      rows[at + step]?.button.focus();
      return true;
    },
  };
}

function span(/** @type {string} */ className, /** @type {string} */ text) {
  const element = document.createElement('span');
  element.className = className;
  element.textContent = text;
  return element;
}

function describeCount(/** @type {number} */ total, /** @type {string} */ search) {
  const tracks = `${total} track${total === 1 ? '' : 's'}`;
  if (search === '') return total === 0 ? 'There are no tracks in the library yet.' : tracks;
  return total === 0 ? `Nothing is found for “${search}”.` : `${tracks} for “${search}”`;
}
