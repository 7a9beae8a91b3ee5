/**
 * Lets the audio element load by itself: ranges, buffering and seeking are the browser's. By a
 * grant's address, or through the Service Worker.
 *
 * @param {object} options
 * @param {HTMLAudioElement} options.audio
 * @param {(startSeconds: number) => string} options.address of the form from there on
 * @param {(() => Promise<boolean>) | undefined} options.isReady whether a form that has no ranges
 *   while it is made is whole by now; undefined for one that has them always
 * @param {() => void} options.resume called when another address has been set
 * @param {number} options.positionSeconds
 * @param {AbortSignal} options.signal
 */
export async function openElementSource({
  audio,
  address,
  isReady,
  resume,
  positionSeconds,
  signal,
}) {
  /** where the audio begins in the track */
  let offsetSeconds = 0;
  /** @type {number | undefined} a place that is being opened */
  let pending;
  /** without ranges: a jump is another request */
  let isGrowing = false;

  async function open(/** @type {number} */ seconds) {
    pending = seconds;
    if (isReady) isGrowing = !(await isReady());
    signal.throwIfAborted();
    // overtaken by another jump
    if (pending !== seconds) return;
    offsetSeconds = isGrowing ? seconds : 0;
    audio.src = address(offsetSeconds);
    if (!isGrowing && seconds > 0) audio.currentTime = seconds;
    pending = undefined;
  }

  await open(positionSeconds);
  return {
    position: () => pending ?? offsetSeconds + audio.currentTime,
    async seek(/** @type {number} */ seconds) {
      if (!isGrowing && pending === undefined) {
        audio.currentTime = seconds;
        return;
      }
      await open(seconds);
      resume();
    },
  };
}
