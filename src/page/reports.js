const INTERVAL_MS = 10_000;

/**
 * Tells the service where the player is: every ten seconds, and when it pauses or stops. That is how
 * plays are counted; requests for bytes count for nothing.
 *
 * @param {object} deps
 * @param {HTMLAudioElement} deps.audio
 * @param {() => number} deps.position
 * @param {(refusal: import('./api.js').Refusal) => void} deps.onRefused the playback was ended:
 *   where the browser has all of the track already, nothing else tells
 */
export function createReports({ audio, position, onRefused }) {
  let playback;
  let said = 'stopped';
  let saidAt = -Infinity;
  /** @type {Promise<void> | undefined} the last report */
  let told;

  function say(/** @type {'playing' | 'paused' | 'stopped'} */ state) {
    const reported = playback;
    if (!reported || (said === 'stopped' && state !== 'playing')) return;
    said = state;
    saidAt = performance.now();
    told = reported.report(position(), state).catch((error) => {
      if (reported === playback && error.status === 403) onRefused(error);
    });
  }

  function sayPlaying() {
    const isDue = performance.now() - saidAt > INTERVAL_MS - 100;
    if (!audio.paused && (said !== 'playing' || isDue)) say('playing');
  }

  audio.addEventListener('playing', sayPlaying);
  setInterval(sayPlaying, INTERVAL_MS);

  return {
    say,
    begin(/** @type {Awaited<ReturnType<typeof import('./playback.js').beginPlayback>>} */ begun) {
      playback = begun;
      said = 'stopped';
    },
    /** @returns {Promise<void> | undefined} settles when the last report was answered */
    end() {
      say('stopped');
      playback = undefined;
      return told;
    },
  };
}
