import { trackPath } from './api.js';

/** An hour: long before a grant ends, and rare. */
const MOST_WAIT_MS = 3_600_000;
const LEAST_WAIT_MS = 1_000;

/**
 * Begins a playback: addresses for an audio element, kept open while it is needed.
 *
 * @param {ReturnType<import('./api.js').createApi>} api
 * @param {string} trackId
 * @param {{ takeover?: boolean }} options ends another playback where there are too many
 * @throws {import('./api.js').Refusal} `too_many_playbacks` among others
 */
export async function beginPlayback(api, trackId, { takeover = false } = {}) {
  const path = `${trackPath(trackId)}/playback`;
  const response = await api.call(takeover ? `${path}?takeover=true` : path, { method: 'POST' });
  const { data } = await response.json();
  const grant = new URLSearchParams(data.url.slice(data.url.indexOf('?'))).get('grant');
  const own = `${path}/${data.id}`;
  let isOver = false;
  let timer = prolongLater(data.expiresAt, response);

  /** Halfway to its end. By the server's clock: that of a phone may be wrong. */
  function prolongLater(/** @type {string} */ expiresAt, /** @type {Response} */ { headers }) {
    const now = Date.parse(headers.get('Date') ?? '') || Date.now();
    const wait = (Date.parse(expiresAt) - now) / 2;
    return setTimeout(prolong, Math.min(Math.max(wait, LEAST_WAIT_MS), MOST_WAIT_MS));
  }

  async function prolong() {
    try {
      const answer = await api.call(own, { method: 'PUT', isQuiet: true });
      const { data: prolonged } = await answer.json();
      if (!isOver) timer = prolongLater(prolonged.expiresAt, answer);
    } catch {
      // the token may be over, the network away: the grant itself goes on to its end
      if (!isOver) timer = setTimeout(prolong, MOST_WAIT_MS / 60);
    }
  }

  return {
    ...data,
    trackId,
    /**
     * Says where the player is. By the grant, which outlives the token.
     *
     * @param {number} positionSeconds
     * @param {'playing' | 'paused' | 'stopped'} state
     */
    async report(positionSeconds, state) {
      const content = JSON.stringify({ positionSeconds, state });
      await api.callOpen(`${own}/progress?grant=${encodeURIComponent(grant)}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: content,
        keepalive: true,
      });
    },
    /**
     * Closes the addresses. `keepalive`, so that it arrives when the page is already gone.
     *
     * @param {Promise<void>} [told] the last report, which would be refused behind the end
     */
    async end(told) {
      isOver = true;
      clearTimeout(timer);
      if (told) await told;
      await api.call(own, { method: 'DELETE', isQuiet: true, keepalive: true }).catch(() => {
        // unused, it ends by itself
      });
    },
    /** It was ended elsewhere: nothing is left to close. */
    forget() {
      isOver = true;
      clearTimeout(timer);
    },
  };
}
