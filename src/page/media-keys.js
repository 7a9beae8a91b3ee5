/**
 * Tells the system what plays, and listens to its keys, headsets and lock screens.
 *
 * @param {Record<string, (details: MediaSessionActionDetails) => void>} actions by the names of the
 *   Media Session API
 */
export function createMediaKeys(actions) {
  const session = navigator.mediaSession;
  for (const [name, act] of Object.entries(session ? actions : {})) {
    try {
      session.setActionHandler(name, act);
    } catch {
      // not every browser knows every action
    }
  }

  return {
    async showTrack({ title, artist, album }, /** @type {Promise<string | undefined>} */ cover) {
      if (!session) return;
      const describe = (artwork) =>
        new MediaMetadata({ title, artist, album: album ?? '', artwork });
      const metadata = (session.metadata = describe([]));
      const src = await cover;
      if (src !== undefined && session.metadata === metadata)
        session.metadata = describe([{ src }]);
    },
    showState(/** @type {boolean} */ isPlaying, position, duration) {
      if (!session) return;
      session.playbackState = isPlaying ? 'playing' : 'paused';
      if (duration > 0 && position >= 0 && position <= duration) {
        session.setPositionState?.({ duration, position });
      }
    },
  };
}
