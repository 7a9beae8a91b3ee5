import { Refusal } from './api.js';

const HINTS = {
  none: 'Paste the token that you were given. It stays in the memory of this page.',
  refused: 'Your token is over, or is not valid here. With a new one it goes on where you are.',
  changed: 'What you paste takes the place of the token that this page has.',
};

/**
 * Asks the listener for a token. It goes into memory and nowhere else.
 *
 * @param {HTMLDialogElement} dialog
 * @returns {(why: 'none' | 'refused' | 'changed') => Promise<string>} rejects when the listener declines
 */
export function createTokenDialog(dialog) {
  const form = dialog.querySelector('form');
  const input = dialog.querySelector('input');
  const hint = dialog.querySelector('[data-hint]');
  const later = dialog.querySelector('[data-later]');

  return (why) =>
    new Promise((resolve, reject) => {
      const done = new AbortController();
      const listen = { signal: done.signal };
      hint.textContent = HINTS[why];
      input.value = '';
      form.addEventListener(
        'submit',
        (event) => {
          event.preventDefault();
          const token = input.value.trim().replace(/^Bearer\s+/i, '');
          input.value = '';
          if (token === '') return;
          done.abort();
          dialog.close();
          resolve(token);
        },
        listen,
      );
      later.addEventListener('click', () => dialog.close(), listen);
      dialog.addEventListener(
        'close',
        () => {
          // of the time before: it was opened again at once
          if (dialog.open) return;
          done.abort();
          reject(new Refusal({ status: 401, code: 'unauthorized', message: 'There is no token' }));
        },
        listen,
      );
      dialog.showModal();
    });
}
