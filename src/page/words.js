/**
 * What a refusal means for the listener, and the way on.
 *
 * @typedef {{ text: string, action?: 'retry' | 'token' | 'takeover' | 'original', label?: string }} Advice
 * @param {import('./api.js').Refusal} refusal
 * @returns {Advice}
 */
export function explain(refusal) {
  const known = Object.hasOwn(BY_CODE, refusal.code) ? BY_CODE[refusal.code] : byStatus;
  return known(refusal);
}

const RETRY = { action: 'retry', label: 'Try again' };
const ORIGINAL = { action: 'original', label: 'Play the original' };
const TOKEN = { action: 'token', label: 'Enter a token' };

const BY_CODE = {
  unauthorized: () => ({ text: 'A token is needed to go on.', ...TOKEN }),
  invalid_token: () => ({ text: 'Your token is not valid any more.', ...TOKEN }),
  insufficient_scope: () => ({ text: 'Your token does not open this track.', ...TOKEN }),
  invalid_grant: () => ({ text: 'The address of this playback was refused.', ...RETRY }),
  grant_ended: () => ({ text: 'This playback was ended, here or somewhere else.', ...RETRY }),
  track_not_found: () => ({ text: 'This track is not in the library any more.' }),
  too_many_playbacks: ({ playbacks }) => ({
    text: `You are listening elsewhere already${namePlaybacks(playbacks)}. End that to play here?`,
    action: 'takeover',
    label: 'Play here instead',
  }),
  track_undecodable: () => ({ text: 'This track is damaged, or has no sound in it.' }),
  rate_limited: (refusal) => ({ text: `That was a lot at once. ${waitFor(refusal)}`, ...RETRY }),
  ffmpeg_unavailable: () => ({
    text: 'The server cannot convert tracks now. The original plays without that.',
    ...ORIGINAL,
  }),
  overloaded: (refusal) => ({ text: `The server is busy. ${waitFor(refusal)}`, ...RETRY }),
  not_ready_yet: (refusal) => ({
    text: `This part is still being converted. ${waitFor(refusal)}`,
    ...RETRY,
  }),
  keys_unavailable: (refusal) => ({
    text: `Your token cannot be checked at the moment. ${waitFor(refusal)}`,
    ...RETRY,
  }),
  library_unavailable: (refusal) => ({
    text: `The music library is away. ${waitFor(refusal)}`,
    ...RETRY,
  }),
  track_unavailable: (refusal) => ({
    text: `This track cannot be read at the moment. ${waitFor(refusal)}`,
    ...RETRY,
  }),
  unreachable: () => ({ text: 'The server does not answer. Are you online?', ...RETRY }),
  unsupported: () => ({ text: 'This browser cannot play this form.', ...ORIGINAL }),
  unplayable: () => ({
    text: 'This browser cannot play this track as it is. Choose another quality, such as MP3.',
    ...RETRY,
  }),
};

function byStatus(/** @type {import('./api.js').Refusal} */ { status, message }) {
  if (status === 401) return { text: 'Your token was refused.', ...TOKEN };
  return { text: message || 'Something went wrong.', ...RETRY };
}

function waitFor({ retryAfterSeconds }) {
  if (retryAfterSeconds === undefined) return 'Try again in a moment.';
  return `Try again in ${retryAfterSeconds} second${retryAfterSeconds === 1 ? '' : 's'}.`;
}

function namePlaybacks(/** @type {{ trackId: string }[]} */ playbacks) {
  const names = playbacks.map(({ trackId }) => `“${trackId.split('/').at(-1)}”`);
  return names.length === 0 ? '' : ` (${names.slice(0, 3).join(', ')})`;
}
