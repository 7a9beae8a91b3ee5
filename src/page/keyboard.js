const STEP_SECONDS = 5;
const VOLUME_STEP = 0.05;

/** Elements that have a use of their own for a key; `.table` scrolls by them. */
const OWN_SPACE = 'button, summary, select, a, textarea, input:not([type=range]), .table';
const OWN_ARROWS = 'select, textarea, input:not(#seek), .table';
const OWN_TEXT = 'textarea, input:not([type=range])';

/**
 * Keys for the whole page: space, arrows, / and ?.
 *
 * @param {object} deps
 * @param {() => void} deps.toggle
 * @param {(seconds: number) => void} deps.seekBy
 * @param {(change: number) => void} deps.changeVolume
 * @param {(step: 1 | -1) => boolean} deps.moveFocus
 * @param {() => void} deps.search
 * @param {() => void} deps.help
 */
export function listenToKeys({ toggle, seekBy, changeVolume, moveFocus, search, help }) {
  const actions = {
    ' ': [OWN_SPACE, toggle],
    ArrowLeft: [OWN_ARROWS, () => seekBy(-STEP_SECONDS)],
    ArrowRight: [OWN_ARROWS, () => seekBy(STEP_SECONDS)],
    ArrowUp: [OWN_ARROWS, () => moveFocus(-1) || changeVolume(VOLUME_STEP)],
    ArrowDown: [OWN_ARROWS, () => moveFocus(1) || changeVolume(-VOLUME_STEP)],
    '/': [OWN_TEXT, search],
    '?': [OWN_TEXT, help],
  };

  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [owners, act] = actions[event.key] ?? [];
    if (!act || document.querySelector('dialog[open]') || event.target.closest(owners)) return;
    event.preventDefault();
    // held, it would play and pause in turn
    if (!(event.repeat && act === toggle)) act();
  });
}
