import { formatTime, speakTime } from './times.js';

const PAGE_SIZE = 50;
/** of what is asked for again */
const MOST_AT_ONCE = 200;
const AGAIN_MS = 5_000;
/** While less than a page of tracks is found. */
const SOON_MS = 1_000;

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
  let refreshing;

  /** @returns whether there came more */
  function loadMore() {
    return inTurn(loadPage);
  }

  /** One after the other; what is given up for another search is in nobody's way. */
  function inTurn(/** @type {() => Promise<boolean>} */ load) {
    if (!loading) {
      const mine = load().finally(() => {
        if (loading === mine) loading = undefined;
      });
      loading = mine;
    }
    return loading;
  }

  async function loadPage() {
    const mine = turn;
    try {
      const page = await ask(cursor, PAGE_SIZE);
      if (mine !== turn) return false;
      const added = page.tracks.map((track) => createRow(track));
      rows.push(...added);
      list.append(...added.map(({ item }) => item));
      showExtent(page);
      return added.length > 0;
    } catch (error) {
      if (mine !== turn) return false;
      if (rows.length === 0) count.textContent = '';
      onError(error);
      return false;
    }
  }

  /**
   * Asks again for as much as is shown, and puts what came meanwhile in its place: rows that stay are not
   * touched, so what has the focus keeps it.
   */
  async function refreshRows() {
    const mine = turn;
    const tracks = [];
    let page;
    do {
      const limit = Math.min(MOST_AT_ONCE, Math.max(PAGE_SIZE, rows.length - tracks.length));
      // what is asked for by itself opens no dialog
      page = await ask(page?.nextCursor, limit, { isQuiet: true }).catch(() => undefined);
      if (mine !== turn) return false;
      if (!page) return refreshLater();
      tracks.push(...page.tracks);
    } while (page.nextCursor !== null && tracks.length < rows.length);

    const known = new Map(rows.map((row) => [row.track.id, row]));
    rows = tracks.map((track) => known.get(track.id) ?? createRow(track));
    const items = new Set(rows.map(({ item }) => item));
    for (const item of [...list.children]) if (!items.has(item)) item.remove();
    let next = list.firstElementChild;
    for (const item of items) {
      if (item === next) next = next.nextElementSibling;
      else list.insertBefore(item, next);
    }
    showExtent(page);
    return rows.length > known.size;
  }

  /** A library that is looked through for the first time has more to show soon. */
  function refreshLater(waitMs = AGAIN_MS) {
    clearTimeout(refreshing);
    const mine = turn;
    refreshing = setTimeout(() => {
      // a page that is on its way sees to the next time when it is there
      if (mine === turn) void inTurn(refreshRows);
    }, waitMs);
    return false;
  }

  function ask(/** @type {string | null | undefined} */ after, /** @type {number} */ limit, init) {
    const query = new URLSearchParams({ limit: String(limit) });
    if (search !== '') query.set('search', search);
    if (after) query.set('cursor', after);
    return api.json(`/api/stream?${query}`, init);
  }

  function showExtent({ nextCursor, total, complete }) {
    cursor = nextCursor;
    count.textContent = describeCount({ total, complete, search });
    more.hidden = cursor === null;
    // whoever has come to the new end meanwhile has not left it, as an observer sees it
    end.unobserve(more);
    end.observe(more);
    showCurrent(currentId);
    if (!complete) refreshLater(rows.length < PAGE_SIZE ? SOON_MS : AGAIN_MS);
    else if (total === 0 && search === '') refreshLater();
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

function describeCount({ total, complete, search }) {
  const tracks = `${total} track${total === 1 ? '' : 's'}`;
  const soFar = complete ? '' : ' so far';
  if (search === '') {
    return total === 0 ? 'There are no tracks in the library yet.' : `${tracks}${soFar}`;
  }
  const found = total === 0 ? 'Nothing is found' : tracks;
  return `${found} for “${search}”${soFar}${total === 0 ? '.' : ''}`;
}
