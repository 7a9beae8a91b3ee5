import { explain } from './words.js';

/**
 * What went wrong and the way on, in one place that screen readers are told of.
 *
 * @param {HTMLElement} root
 * @param {Record<string, () => unknown>} actions by the names that `explain()` gives
 */
export function createNotice(root, actions) {
  const text = root.querySelector('[data-text]');
  const way = root.querySelector('[data-action]');
  const close = root.querySelector('[data-close]');
  let action;
  let ownActions = {};
  let isPassing = false;

  function show({ text: words, action: name, label }) {
    text.textContent = words;
    action = name;
    way.hidden = name === undefined;
    way.textContent = label ?? '';
    root.hidden = false;
  }

  function clear() {
    root.hidden = true;
    text.textContent = '';
  }

  way.addEventListener('click', () => {
    clear();
    // declining a token leaves all as it is
    const act = ownActions[action] ?? actions[action];
    Promise.resolve(act?.()).catch((error) => show(explain(error)));
  });
  close.addEventListener('click', clear);

  return {
    clear,
    /**
     * @param {import('./api.js').Refusal} refusal
     * @param {Record<string, () => unknown>} [own] the ways on from what was refused, where they are others
     */
    refuse(refusal, own = {}) {
      isPassing = false;
      ownActions = own;
      show(explain(refusal));
    },
    /** Something to know, that does not stop the music. */
    note(/** @type {string} */ words) {
      isPassing = true;
      show({ text: words });
    },
    /** Sound comes: whatever was refused is over. */
    playing() {
      if (!isPassing && !root.hidden) clear();
    },
  };
}
