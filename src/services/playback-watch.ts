import { MOST_MOVED_MS, type KnownPlayback, type LocalPlaybacks } from './local-playbacks';
import { MAX_BATCH, type PlaybackTouch, type SharedPlaybacks } from './shared-playbacks';

/** Looks after the playbacks that have open responses. */
export interface PlaybackWatch {
  /** From now on the playback counts, and `onEnded` is called when it ends. @returns what stops that */
  attend(playback: KnownPlayback, onEnded: () => void): () => void;
  /** Tells the others of an end as soon as they can be told. */
  announceEnd(playback: KnownPlayback): void;
  close(): void;
}

export interface PlaybackWatchOptions {
  readonly local: LocalPlaybacks;
  readonly shared: SharedPlaybacks;
  readonly isShared: () => boolean;
  /** milliseconds since 1970 */
  readonly now: () => number;
}

/**
 * With the 100 ms that what was learned counts, and the 200 ms that Redis may take, whoever ends a
 * playback cuts its responses within a second, also one that begins by what was learned before.
 */
const LOOK_INTERVAL_MS = 700;
/** Looking costs Redis a tenth of renewing; a sixth of 30 s is soon enough for that. */
const RENEW_INTERVAL_MS = 5_000;
/** Ends that nobody could be told of; beyond this they hold in this process only. */
const MAX_ANNOUNCEMENTS = 1_000;

/** A timer that runs only while there is something to ask or to tell. */
export function createPlaybackWatch({
  local,
  shared,
  isShared,
  now,
}: PlaybackWatchOptions): PlaybackWatch {
  // value: when it was last renewed
  const attended = new Map<KnownPlayback, number>();
  const announcements = new Set<KnownPlayback>();
  let timer: NodeJS.Timeout | undefined;
  let isBusy = false;

  const start = (): void => {
    timer ??= setInterval(() => void look(), LOOK_INTERVAL_MS).unref();
  };
  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
  };

  const look = async (): Promise<void> => {
    if (isBusy) return;
    isBusy = true;
    try {
      for (const playback of attended.keys()) {
        if (playback.isEnded) attended.delete(playback);
      }
      const all = [...attended.keys()];
      for (let i = 0; i < all.length; i += MAX_BATCH) await renew(all.slice(i, i + MAX_BATCH));
      for (const playback of announcements) await announce(playback);
    } finally {
      isBusy = false;
    }
    if (attended.size === 0 && announcements.size === 0) stop();
  };

  const renew = async (playbacks: readonly KnownPlayback[]): Promise<void> => {
    const time = now();
    const uses = playbacks.map((playback) => [playback, useOf(playback, time)] as const);
    try {
      const conditions = await shared.touch(uses);
      for (const [i, [playback, use]] of uses.entries()) {
        if (conditions[i] === 'ended') local.end(playback);
        else if (use !== 'look') attended.set(playback, time);
      }
      await restore(playbacks.filter((_, i) => conditions[i] === 'missing'));
    } catch {
      // away: the signed end counts, and when it is back what that knows
      for (const playback of playbacks) if (!local.isOpen(playback)) local.cut(playback);
    }
    for (const [playback, use] of uses) {
      if (use === 'closed' && playback.responses.size === 0) attended.delete(playback);
    }
  };

  const useOf = (playback: KnownPlayback, time: number): PlaybackTouch => {
    if (playback.responses.size === 0) return 'closed';
    playback.lastActiveAtMs = time;
    return time - (attended.get(playback) ?? 0) < RENEW_INTERVAL_MS ? 'look' : 'open';
  };

  const restore = async (lost: readonly KnownPlayback[]): Promise<void> => {
    for (const playback of lost) endIfOver(playback);
    const open = lost.filter(({ isEnded }) => !isEnded);
    if (open.length > 0) await shared.restore(open);
  };

  const endIfOver = (playback: KnownPlayback): void => {
    if (!local.isOpen(playback)) local.end(playback);
  };

  const announce = async (playback: KnownPlayback): Promise<void> => {
    // others may know that its end was moved
    if (playback.signedEndMs + MOST_MOVED_MS <= now()) announcements.delete(playback);
    if (!isShared() || !announcements.has(playback)) return;
    try {
      await shared.restore([playback]);
      await shared.end(playback.key, playback.subject);
      announcements.delete(playback);
    } catch {
      // away again: the next time
    }
  };

  return {
    attend(playback, onEnded) {
      // a function of its own: the same may be given twice
      const response = (): void => {
        onEnded();
      };
      playback.responses.add(response);
      // between the question and this it was: nobody would look at it again
      if (playback.isEnded) local.cut(playback);
      // whoever was asked whether it is open has renewed it with that
      if (!attended.has(playback)) attended.set(playback, now());
      start();
      return () => {
        playback.responses.delete(response);
        playback.lastActiveAtMs = now();
      };
    },
    announceEnd(playback) {
      if (announcements.size >= MAX_ANNOUNCEMENTS) return;
      announcements.add(playback);
      start();
    },
    close: stop,
  };
}
