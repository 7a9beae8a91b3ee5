import { parseFragmentTime } from './times.js';

/**
 * Reads `#token=...&track=...&t=...` and takes the token out of the address at once, so that it
 * is in no history, bookmark or screenshot.
 *
 * @returns {{ token?: string, trackId?: string, startSeconds?: number }}
 */
export function takeFragment() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const token = parameters.get('token');
  if (token !== null) {
    parameters.delete('token');
    const rest = parameters.toString();
    history.replaceState(history.state, '', location.pathname + (rest === '' ? '' : `#${rest}`));
  }
  return {
    ...(token ? { token } : {}),
    ...(parameters.get('track') ? { trackId: parameters.get('track') } : {}),
    ...(parameters.has('t') ? { startSeconds: parseFragmentTime(parameters.get('t')) } : {}),
  };
}
