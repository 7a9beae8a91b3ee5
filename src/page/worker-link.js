/** Long enough for a script of 3 kB, short enough for somebody who waits for music. */
const START_TIMEOUT_MS = 5_000;

/**
 * The page's side of the Service Worker: hands it the token, and hears of its requests.
 *
 * @param {object} deps
 * @param {() => string | undefined} deps.token
 * @param {(request: object) => void} deps.record
 */
export function createWorkerLink({ token, record }) {
  let isListening = false;

  function listen() {
    if (isListening) return;
    isListening = true;
    navigator.serviceWorker.addEventListener('message', ({ data, ports }) => {
      // a worker that was stopped meanwhile has lost it: it is never written down
      if (data.kind === 'token-wanted') ports[0].postMessage(token());
      if (data.kind === 'request') record({ ...data.request, by: 'worker' });
    });
  }

  async function claim() {
    await navigator.serviceWorker.register('/player/sw.js', { scope: '/' });
    // never, where it cannot be installed
    const { active } = await navigator.serviceWorker.ready;
    await ask(active, { kind: 'claim', token: token() });
  }

  return {
    /**
     * Resolves when requests of this page go through the worker, which has the current token.
     *
     * @returns {Promise<boolean>} false where the browser, or its owner, lets none start
     */
    async start() {
      listen();
      let timer;
      const late = new Promise((resolve) => (timer = setTimeout(resolve, START_TIMEOUT_MS, false)));
      const started = claim().then(
        () => true,
        () => false,
      );
      return Promise.race([started, late]).finally(() => clearTimeout(timer));
    },
    /** The worker adds nothing any more. */
    stop() {
      navigator.serviceWorker?.controller?.postMessage({ kind: 'forget' });
    },
  };
}

/** Sends a message and waits for its answer. */
function ask(/** @type {ServiceWorker} */ worker, /** @type {object} */ message) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
    worker.postMessage(message, [port2]);
  });
}
