/** Browsers estimate how much of the time the bytes that they have are. */
const NEARLY_SECONDS = 1;

/**
 * Lets the audio element load by itself: ranges, buffering and seeking are the browser's. By a
 * grant's address, or through the Service Worker.
 *
 * @param {object} options
 * @param {HTMLAudioElement} options.audio
 * @param {(startSeconds: number) => string} options.address of the form from there on
 * @param {(() => Promise<boolean>) | undefined} options.isReady whether a form that has no ranges
 *   while it is made is whole by now; undefined for one that has them always
 * @param {boolean} [options.jumpsByStart] it says nowhere which byte is of which time: a browser would
 *   look for the place in one part after the other, ten requests and more for a jump
 * @param {() => void} options.resume called when another address has been set
 * @param {number} options.positionSeconds
 * @param {AbortSignal} options.signal
 */
export async function openElementSource({
  audio,
  address,
  isReady,
  jumpsByStart = false,
  resume,
  positionSeconds,
  signal,
}) {
  /** where the audio begins in the track */
  let offsetSeconds = 0;
  /** @type {number | undefined} a place that is being opened */
  let pending;
  /** a jump is the same form from there on, in one request */
  let isCut = false;

  async function open(/** @type {number} */ seconds) {
    pending = seconds;
    if (isReady) isCut = (jumpsByStart && seconds > 0) || !(await isReady());
    signal.throwIfAborted();
    // overtaken by another jump
    if (pending !== seconds) return;
    offsetSeconds = isCut ? seconds : 0;
    audio.src = address(offsetSeconds);
    if (!isCut && seconds > 0) audio.currentTime = seconds;
    pending = undefined;
  }

  await open(positionSeconds);
  return {
    position: () => pending ?? offsetSeconds + audio.currentTime,
    async seek(/** @type {number} */ seconds) {
      const jumpsByItself = !isCut && (!jumpsByStart || isLoaded(audio));
      if (jumpsByItself && pending === undefined) {
        audio.currentTime = seconds;
        return;
      }
      await open(seconds);
      resume();
    },
  };
}

/** Whether the browser has all of it, so that a jump asks for nothing. */
function isLoaded({ buffered, duration }) {
  if (buffered.length !== 1) return false;
  return buffered.start(0) < NEARLY_SECONDS && buffered.end(0) > duration - NEARLY_SECONDS;
}
