/** 3:05, or 1:02:03; `–:––` where it is not known. */
export function formatTime(/** @type {number | null | undefined} */ seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–:––';
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 60) % 60, whole % 60];
  const hours = Math.floor(whole / 3600);
  const [first, ...rest] = hours > 0 ? [hours, ...parts] : parts;
  return [first, ...rest.map((part) => String(part).padStart(2, '0'))].join(':');
}

/** 3 minutes 5 seconds, for whoever listens to the page. */
export function speakTime(/** @type {number} */ seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 3600), 'hour'],
    [Math.floor(whole / 60) % 60, 'minute'],
    [whole % 60, 'second'],
  ];
  const said = parts
    .filter(([count]) => count !== 0)
    .map(([count, unit]) => `${count} ${unit}${count === 1 ? '' : 's'}`);
  return said.join(' ') || '0 seconds';
}

/**
 * Where a temporal Media Fragment begins: `61.5`, `npt:61.5`, `1:01.5`, `0:01:01.5`, each with or
 * without `,end`.
 *
 * @param {string | null} text
 * @returns {number | undefined} seconds
 * @see https://www.w3.org/TR/media-frags/#naming-time
 */
export function parseFragmentTime(text) {
  const match = /^(?:npt:)?(?:(?:(\d+):)?([0-5]?\d):)?(\d+(?:\.\d*)?)(?:,.*)?$/.exec(text ?? '');
  if (!match) return undefined;
  const [hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return hours * 3600 + minutes * 60 + seconds;
}
