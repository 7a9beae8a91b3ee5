import { type RedisGateway } from '../adapters/redis';
import { createLocalPlaybacks, type KnownPlayback } from './local-playbacks';
import { tooManyPlaybacks, type Playbacks } from './playback';
import { PLAYING_MS } from './playback-scripts';
import { createPlaybackWatch } from './playback-watch';
import { playbackKey } from './redis-keys';
import { createSharedPlaybacks, type PlaybackCondition } from './shared-playbacks';

export interface PlaybacksOptions {
  readonly redis: RedisGateway;
  /** of a subject at the same time; 0 for any number */
  readonly maxPlaybacks: number;
  /** how long a listener may pause */
  readonly pauseMs: number;
  /** name of the Redis stream of plays */
  readonly stream: string;
  /** Told of what Redis refuses while it is there: nobody else sees it. */
  readonly warn: (message: string, reason: unknown) => void;
  /** milliseconds since 1970 */
  readonly now?: () => number;
}

/** What was learned of a playback counts this long: players often ask twice in a row. */
const LEARNED_MS = 100;
/** Of a playback that is over in any case. */
const UNKNOWN_END = { signedEndSeconds: 0 };

/**
 * Playbacks, shared through Redis. While it is away each process knows its own: the signed end of a
 * grant counts, revocations and the cap hold within the process, and nothing is counted as a play.
 */
export function createPlaybacks({
  redis,
  maxPlaybacks,
  pauseMs,
  stream,
  warn,
  now = Date.now,
}: PlaybacksOptions): Playbacks & { close(): void } {
  const local = createLocalPlaybacks(now);
  const shared = createSharedPlaybacks({ redis, maxPlaybacks, pauseMs, stream, now });
  const watch = createPlaybackWatch({ local, shared, isShared: () => redis.isUp(), now });
  const questions = new Map<KnownPlayback, Promise<boolean>>();

  /** @returns undefined when Redis is away, or could not do it */
  const orAlone = async <T>(answer: Promise<T>): Promise<T | undefined> => {
    try {
      return await answer;
    } catch (error) {
      if (redis.isUp()) warn('redis could not note a playback', error);
      return undefined;
    }
  };

  /** Asks Redis, and once more where it has lost what is known here. */
  const askShared = async <T>(
    known: KnownPlayback | undefined,
    question: () => Promise<T>,
    isMissing: (answer: T) => boolean,
  ): Promise<T> => {
    const answer = await question();
    if (!isMissing(answer) || !known || !local.isOpen(known)) return answer;
    await shared.restore([known]);
    return question();
  };

  const beginAlone = (subject: string, takeover: boolean): void => {
    if (maxPlaybacks === 0) return;
    const running = local.running(subject);
    if (running.length < maxPlaybacks) return;
    if (!takeover) throw tooManyPlaybacks(running);
    for (const playback of running.slice(0, running.length + 1 - maxPlaybacks)) {
      local.end(playback);
      watch.announceEnd(playback);
    }
  };

  const askWhetherOpen = async (playback: KnownPlayback): Promise<boolean> => {
    const askedAtMs = now();
    const conditions = await orAlone(shared.touch([[playback, 'begin']]));
    if (!conditions) return local.isOpen(playback);
    if (!isOpenBy(playback, conditions[0] ?? 'missing')) local.end(playback);
    playback.learnedAtMs = askedAtMs;
    return !playback.isEnded;
  };

  /** Where Redis has no record, it was lost, or never written: the signed end counts. */
  const isOpenBy = (playback: KnownPlayback, condition: PlaybackCondition): boolean =>
    condition === 'open' || (condition === 'missing' && local.isOpen(playback));

  const findOf = (trackId: string, id: string, subject: string): KnownPlayback | undefined => {
    const known = local.find(playbackKey(trackId, id));
    return known?.subject === subject ? known : undefined;
  };

  return {
    async begin(playback, takeover) {
      const known = local.create(playback);
      const outcome = await orAlone(shared.begin(known, takeover));
      if (!outcome) beginAlone(playback.subject, takeover);
      else if (!outcome.hasBegun) throw tooManyPlaybacks(outcome.others);
      for (const { key } of outcome?.others ?? []) {
        const other = local.find(key);
        if (other) local.end(other);
      }
      local.keep(known);
    },

    async isOpen(grant) {
      const playback = local.know(grant);
      playback.lastActiveAtMs = now();
      playback.isStopped = false;
      if (playback.isEnded) return false;
      if (now() - playback.learnedAtMs < LEARNED_MS) return true;
      let question = questions.get(playback);
      if (!question) {
        question = askWhetherOpen(playback).finally(() => questions.delete(playback));
        questions.set(playback, question);
      }
      return question;
    },

    attend(grant, onEnded) {
      return { release: watch.attend(local.know(grant), onEnded) };
    },

    async extend(trackId, id, subject) {
      const known = findOf(trackId, id, subject);
      if (known?.isEnded) return undefined;
      const key = playbackKey(trackId, id);
      const end = await orAlone(
        askShared(
          known,
          () => shared.extend(key, subject),
          (answer) => answer === 'missing',
        ),
      );
      if (typeof end === 'number') return end;
      return end === undefined && known && local.isOpen(known) ? known.signedEndMs : undefined;
    },

    async end(trackId, id, subject) {
      const known = findOf(trackId, id, subject);
      const key = playbackKey(trackId, id);
      const condition = await orAlone(
        askShared(
          known,
          () => shared.end(key, subject),
          (answer) => answer === 'missing',
        ),
      );
      if (known) local.end(known);
      // not seen here before: noted all the same, as Redis may lose it
      else if (condition === 'ended')
        local.end(local.know({ id, trackId, subject, ...UNKNOWN_END }));
      if (known && condition === undefined) watch.announceEnd(known);
      return known !== undefined || condition === 'ended';
    },

    async report(trackId, id, subject, { positionSeconds, state }) {
      const known = findOf(trackId, id, subject);
      if (known?.isEnded) return undefined;
      const playback = { key: playbackKey(trackId, id), subject };
      const positionMs = Math.round(positionSeconds * 1000);
      const outcome = await orAlone(
        askShared(
          known,
          () => shared.report({ playback, positionMs, state }),
          ({ kind }) => kind === 'missing',
        ),
      );
      if (outcome && outcome.kind !== 'open') return undefined;
      if (outcome?.failure !== undefined) warn('the stream took no play', outcome.failure);
      if (known) noteReport(known, state, now());
      if (outcome) {
        if (known) known.isCounted = outcome.isCounted;
        return { endsAtMs: outcome.endsAtMs, isCounted: outcome.isCounted };
      }
      if (!known || !local.isOpen(known)) return undefined;
      return { endsAtMs: known.signedEndMs, isCounted: known.isCounted };
    },

    close: () => {
      watch.close();
    },
  };
}

function noteReport(playback: KnownPlayback, state: string, time: number): void {
  playback.lastActiveAtMs = time;
  playback.isStopped = state === 'stopped';
  // Redis has to hear of what begins after that, however soon
  if (playback.isStopped) playback.learnedAtMs = 0;
  playback.playingUntilMs = state === 'playing' ? time + PLAYING_MS : 0;
}
