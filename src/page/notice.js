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
    Promise.resolve(actions[action]?.()).catch((error) => show(explain(error)));
  });
  close.addEventListener('click', clear);

  return {
    clear,
    refuse(/** @type {import('./api.js').Refusal} */ refusal) {
      isPassing = false;
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
