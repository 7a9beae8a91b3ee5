import { beginPlayback } from './playback.js';

/**
 * The playback of the track that plays: one at most, since there may be a place for only one.
 *
 * @param {object} deps
 * @param {ReturnType<import('./api.js').createApi>} deps.api
 * @param {ReturnType<import('./reports.js').createReports>} deps.reports
 */
export function createHeldPlayback({ api, reports }) {
  /** @type {Awaited<ReturnType<typeof beginPlayback>> | undefined} */
  let held;
  /** @type {Promise<void> | undefined} of the playback before */
  let ending;
  /** One begins after the other: a load that was given up may have got the only place there is. */
  let turn = Promise.resolve();

  function end() {
    if (!held) return;
    ending = held.end(reports.end());
    held = undefined;
  }

  async function begin(trackId, { takeover, signal }) {
    signal.throwIfAborted();
    if (held?.trackId === trackId) return held;
    end();
    // its place may be the only one there is
    await ending;
    signal.throwIfAborted();
    const begun = await beginPlayback(api, trackId, { takeover });
    if (signal.aborted) ending = begun.end();
    signal.throwIfAborted();
    held = begun;
    reports.begin(held);
    return held;
  }

  return {
    /**
     * @param {string} trackId
     * @param {{ takeover: boolean, signal: AbortSignal }} options
     * @throws {import('./api.js').Refusal} `too_many_playbacks` among others
     */
    ensure(trackId, options) {
      const begun = turn.then(() => begin(trackId, options));
      turn = begun.catch(() => undefined);
      return begun;
    },
    /** Reports where it stopped, and closes its addresses. */
    end,
    /** It was ended elsewhere. */
    forget() {
      reports.end();
      held?.forget();
      held = undefined;
    },
    /** The page goes: nobody will be here when the report is answered. */
    leave() {
      reports.end();
      void held?.end();
      held = undefined;
    },
  };
}
