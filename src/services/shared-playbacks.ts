import { type Redis } from 'ioredis';
import { type RedisGateway } from '../adapters/redis';
import { type KnownPlayback } from './local-playbacks';
import { type PlaybackState, type RunningPlayback } from './playback';
import { BEGIN, CONDITIONS, END, EXTEND, REPORT, RESTORE, TOUCH } from './playback-scripts';
import { PLAYING_PREFIX, subjectKey } from './redis-keys';
import { type RedisScript } from './redis-script';

/** What Redis knows of a playback; it may have lost the record. */
export type PlaybackCondition = (typeof CONDITIONS)[number];

/** How a playback is used, as the scripts call it. */
export const TOUCHES = { look: 'l', begin: 'b', open: 'o', closed: 'c' } as const;
export type PlaybackTouch = keyof typeof TOUCHES;

/** A playback of which Redis has a record. */
export interface RecordedPlayback extends RunningPlayback {
  /** of its record */
  readonly key: string;
}

/** What a player says, and of what. */
export interface Report {
  readonly playback: Pick<KnownPlayback, 'key' | 'subject'>;
  readonly positionMs: number;
  readonly state: PlaybackState;
}

/** What became of a report; a failure is what kept the stream from taking the event. */
export type ReportOutcome =
  | { readonly kind: Exclude<PlaybackCondition, 'open'> }
  | {
      readonly kind: 'open';
      readonly endsAtMs: number;
      readonly isCounted: boolean;
      readonly failure: string | undefined;
    };

/** Playbacks as all replicas know them. Everything rejects when Redis cannot be asked. */
export interface SharedPlaybacks {
  /** @returns whether it has begun; and the playbacks that were ended for it, or are in its way */
  begin(
    playback: KnownPlayback,
    takeover: boolean,
  ): Promise<{ readonly hasBegun: boolean; readonly others: readonly RecordedPlayback[] }>;
  /** One command, so at most {@link MAX_BATCH} of them. @returns the condition of each */
  touch(
    uses: readonly (readonly [KnownPlayback, PlaybackTouch])[],
  ): Promise<readonly PlaybackCondition[]>;
  /** Writes records that Redis has lost; at most {@link MAX_BATCH}. */
  restore(playbacks: readonly KnownPlayback[]): Promise<void>;
  /** @returns the end in milliseconds since 1970; `ended` also when it is another subject's */
  extend(key: string, subject: string): Promise<number | Exclude<PlaybackCondition, 'open'>>;
  /** @returns `open` when it is another subject's */
  end(key: string, subject: string): Promise<PlaybackCondition>;
  report(report: Report): Promise<ReportOutcome>;
}

export interface SharedPlaybacksOptions {
  readonly redis: RedisGateway;
  /** of a subject at the same time; 0 for any number */
  readonly maxPlaybacks: number;
  /** how long a listener may pause */
  readonly pauseMs: number;
  /** name of the stream of plays */
  readonly stream: string;
  /** milliseconds since 1970 */
  readonly now: () => number;
}

/** Playbacks in one script call: Redis is busy with them for a millisecond or two. */
export const MAX_BATCH = 500;
/** Some 15 MB of Redis; a few days of 1,000 listeners for a consumer that is away. */
const MAX_STREAM_EVENTS = 100_000;

/** Playbacks in Redis. */
export function createSharedPlaybacks({
  redis,
  maxPlaybacks,
  pauseMs,
  stream,
  now,
}: SharedPlaybacksOptions): SharedPlaybacks {
  const run = (
    script: RedisScript,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> =>
    redis.run((client: Redis) => script.run(client, keys, [PLAYING_PREFIX, pauseMs, ...args]));

  return {
    async begin(playback, takeover) {
      const subject = subjectKey(playback.subject);
      const reply = await run(
        BEGIN,
        [playback.key, PLAYING_PREFIX + subject],
        [maxPlaybacks, takeover ? 1 : 0, ...formatRecord(playback, now())],
      );
      const [hasBegun, others] = reply as [number, [string, string, string, string, string][]];
      return { hasBegun: hasBegun === 1, others: others.map(parseRecord) };
    },
    async touch(uses) {
      const keys = uses.map(([{ key }]) => key);
      const states = await run(TOUCH, keys, [uses.map(([, touch]) => TOUCHES[touch]).join('')]);
      return Array.from(String(states), parseCondition);
    },
    async restore(playbacks) {
      const keys = playbacks.map(({ key }) => key);
      const time = now();
      await run(
        RESTORE,
        keys,
        playbacks.flatMap((playback) => formatRecord(playback, time)),
      );
    },
    async extend(key, subject) {
      const reply = Number(await run(EXTEND, [key], [subjectKey(subject)]));
      if (reply >= CONDITIONS.length) return reply;
      return parseCondition(reply) === 'missing' ? 'missing' : 'ended';
    },
    async end(key, subject) {
      return parseCondition(await run(END, [key], [subjectKey(subject)]));
    },
    async report({ playback: { key, subject }, positionMs, state }) {
      const reply = await run(
        REPORT,
        [key, stream],
        [subjectKey(subject), subject, positionMs, state, MAX_STREAM_EVENTS],
      );
      const [condition, endsAtMs, isCounted, failure] = reply as [number, number, number, string?];
      const kind = parseCondition(condition);
      return kind === 'open' ? { kind, endsAtMs, isCounted: isCounted === 1, failure } : { kind };
    },
  };
}

function parseCondition(digit: unknown): PlaybackCondition {
  const condition = CONDITIONS[Number(digit)];
  if (condition === undefined) throw new Error('a script of playbacks gave an unknown answer');
  return condition;
}

function parseRecord([key, id, trackId, startedAtMs, lastActiveAtMs]: readonly [
  string,
  string,
  string,
  string,
  string,
]): RecordedPlayback {
  return {
    key,
    id,
    trackId,
    startedAtMs: Number(startedAtMs),
    lastActiveAtMs: Number(lastActiveAtMs),
  };
}

/** Spans, not times: those of a record are on the clock of Redis. */
function formatRecord(playback: KnownPlayback, time: number): readonly (string | number)[] {
  const { id, trackId, subject, startedAtMs, signedEndMs, latestEndMs, durationMs } = playback;
  return [
    id,
    trackId,
    subjectKey(subject),
    Math.max(0, time - startedAtMs),
    signedEndMs - time,
    latestEndMs - time,
    durationMs ?? 0,
  ];
}
