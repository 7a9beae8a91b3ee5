import { LRUCache } from 'lru-cache';
import { type Grant, type NewPlayback, type RunningPlayback } from './playback';
import { ACTIVE_MS } from './playback-scripts';
import { playbackKey } from './redis-keys';

/** What this process knows of a playback. Times are milliseconds since 1970 on its own clock. */
export interface KnownPlayback extends RunningPlayback {
  /** of the record in Redis */
  readonly key: string;
  readonly subject: string;
  readonly signedEndMs: number;
  /** use moves the end no further */
  readonly latestEndMs: number;
  /** null where it is not known */
  readonly durationMs: number | null;
  lastActiveAtMs: number;
  playingUntilMs: number;
  /** its player has said so, and nothing has begun since */
  isStopped: boolean;
  /** for good: nothing makes it open anything again */
  isEnded: boolean;
  isCounted: boolean;
  /** open ones; each is called when the playback ends */
  readonly responses: Set<() => void>;
  /** when Redis has last said that it is open */
  learnedAtMs: number;
}

/** The playbacks that this process has to do with. */
export interface LocalPlaybacks {
  /** A new one, which is known only when it is kept. */
  create(playback: NewPlayback): KnownPlayback;
  keep(playback: KnownPlayback): void;
  /** What is known of the playback of a grant whose signature is right; from now on at least that. */
  know(grant: Grant): KnownPlayback;
  find(key: string): KnownPlayback | undefined;
  /** Those of a subject that count, the oldest first. */
  running(subject: string): readonly KnownPlayback[];
  /** Whether it opens anything as far as this process knows: its signed end counts. */
  isOpen(playback: KnownPlayback): boolean;
  /** Ends what is running of it. */
  cut(playback: KnownPlayback): void;
  /** Ends it, and what is running of it. */
  end(playback: KnownPlayback): void;
}

/** Bounds this process: about 10 MB; those with open responses are held by them besides. */
const MAX_PLAYBACKS = 20_000;
/** Use may move an end so much further than its beginning and the length of the track. */
export const MOST_MOVED_MS = 24 * 60 * 60 * 1000;

/** @param now milliseconds since 1970 */
export function createLocalPlaybacks(now: () => number): LocalPlaybacks {
  const playbacks = new LRUCache<string, KnownPlayback>({ max: MAX_PLAYBACKS });

  const create = (
    { id, trackId, subject, signedEndSeconds }: Grant,
    more: Pick<KnownPlayback, 'durationMs' | 'latestEndMs'>,
  ): KnownPlayback => {
    const time = now();
    return {
      key: playbackKey(trackId, id),
      id,
      trackId,
      subject,
      signedEndMs: signedEndSeconds * 1000,
      ...more,
      startedAtMs: time,
      lastActiveAtMs: time,
      playingUntilMs: 0,
      isStopped: false,
      isEnded: false,
      isCounted: false,
      responses: new Set(),
      learnedAtMs: 0,
    };
  };

  const keep = (playback: KnownPlayback): void => {
    playbacks.set(playback.key, playback);
  };

  const cut = ({ responses }: KnownPlayback): void => {
    const running = [...responses];
    responses.clear();
    for (const onEnded of running) onEnded();
  };

  const isOpen = ({ isEnded, signedEndMs }: KnownPlayback): boolean =>
    !isEnded && signedEndMs > now();

  return {
    create(playback) {
      const { durationSeconds, signedEndSeconds } = playback;
      const durationMs = durationSeconds === null ? null : Math.round(durationSeconds * 1000);
      const latestEndMs = Math.max(
        signedEndSeconds * 1000,
        now() + MOST_MOVED_MS + (durationMs ?? 0),
      );
      return create(playback, { durationMs, latestEndMs });
    },
    keep,
    // how long the track is, and so how far its end could move, is not in the grant
    know(grant) {
      const known = playbacks.get(playbackKey(grant.trackId, grant.id));
      if (known) return known;
      const latestEndMs = grant.signedEndSeconds * 1000;
      const playback = create(grant, { durationMs: null, latestEndMs });
      keep(playback);
      return playback;
    },
    find: (key) => playbacks.get(key),
    running: (subject) =>
      [...playbacks.values()]
        .filter((playback) => playback.subject === subject)
        .filter((playback) => isOpen(playback) && isCounting(playback, now()))
        .sort((a, b) => a.startedAtMs - b.startedAtMs),
    isOpen,
    cut,
    end(playback) {
      playback.isEnded = true;
      cut(playback);
    },
  };
}

function isCounting(playback: KnownPlayback, time: number): boolean {
  const { responses, isStopped, lastActiveAtMs, playingUntilMs } = playback;
  if (responses.size > 0) return true;
  return !isStopped && Math.max(lastActiveAtMs + ACTIVE_MS, playingUntilMs) > time;
}
