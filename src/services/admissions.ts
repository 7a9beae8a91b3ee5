import { LRUCache } from 'lru-cache';
import { type RedisGateway } from '../adapters/redis';
import { admissionsKey, trackMember } from './redis-keys';
import { createRedisScript } from './redis-script';
import { type SharedAdmissions } from './shared-admissions';

/**
 * Who may go on with which track. A player answers a 429 on a seek with a dead player, so quota is
 * asked for once, when a track is opened; from then on the subject is admitted to it.
 */
export interface Admissions {
  /**
   * The same as `renew` as far as this process knows, without waiting.
   *
   * @returns false when it does not know of an admission: ask `renew`
   */
  renewNow(subject: string, trackId: string): boolean;
  /** Whether the subject is admitted to the track; if so, the admission starts anew. */
  renew(subject: string, trackId: string): Promise<boolean>;
  admit(subject: string, trackId: string): Promise<void>;
}

export interface AdmissionsOptions {
  readonly redis: RedisGateway;
  /** what other processes of this machine know; asked when Redis cannot be */
  readonly peers?: SharedAdmissions;
  /** how long an admission outlives the last request */
  readonly ttlMs: number;
  /** milliseconds since 1970 */
  readonly now?: () => number;
}

/** A listener opens a few hundred tracks in six hours; beyond this the oldest are forgotten. */
const MAX_TRACKS_PER_SUBJECT = 1_000;
/** Bounds this process: 33 MB when full of names of 60 characters, 62 MB at worst (measured). */
const MAX_LOCAL_ADMISSIONS = 100_000;
/** Names of common length are their own key: hashing them costs twice the look-up. */
const MAX_PLAIN_KEY_LENGTH = 128;
/** Redis and the peers hear of a running track this often, and keep it that much longer. */
const SHARE_INTERVAL_MS = 300_000;

/**
 * KEYS[1] sorted set of a subject: track -> end of admission in ms; ARGV: track, ttl in ms, 1 to
 * admit. Answers 1 when the subject was or now is admitted.
 */
const RENEW = createRedisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ARGV[3] ~= '1' and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -${MAX_TRACKS_PER_SUBJECT + 1})
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
`);

/** Admissions in this process, shared through Redis while it is there. */
export function createAdmissions({
  redis,
  peers,
  ttlMs,
  now = Date.now,
}: AdmissionsOptions): Admissions {
  // value: when Redis and the peers last heard of the admission; 0 for never
  const local = new LRUCache<string, { sharedAt: number; toldAt: number }>({
    max: MAX_LOCAL_ADMISSIONS,
    ttl: ttlMs,
    updateAgeOnGet: true,
    ttlResolution: 0, // asks the clock each time
    perf: { now },
  });

  const share = async (subject: string, trackId: string, admit: boolean): Promise<boolean> => {
    try {
      const reply = await redis.run((client) =>
        RENEW.run(
          client,
          [admissionsKey(subject)],
          [trackMember(trackId), ttlMs + SHARE_INTERVAL_MS, admit ? 1 : 0],
        ),
      );
      return reply === 1;
    } catch {
      return false; // away: what this process knows is all there is
    }
  };

  const tellPeers = async (key: string): Promise<void> => {
    await peers?.admit(key, ttlMs + SHARE_INTERVAL_MS);
  };

  /** Settles when the peers know. */
  const remember = (key: string, isShared: boolean): Promise<void> => {
    local.set(key, { sharedAt: isShared ? now() : 0, toldAt: now() });
    return tellPeers(key);
  };

  const renewNow = (subject: string, trackId: string): boolean => {
    const key = localKey(subject, trackId);
    const known = local.get(key);
    if (!known) return false;
    if (now() - known.toldAt >= SHARE_INTERVAL_MS) {
      known.toldAt = now();
      void tellPeers(key);
    }
    const { sharedAt } = known;
    if (now() - sharedAt >= SHARE_INTERVAL_MS && redis.isUp()) {
      known.sharedAt = now();
      // not awaited: the listener is admitted whatever Redis says
      void share(subject, trackId, true).then((isShared) => {
        if (!isShared) known.sharedAt = sharedAt;
      });
    }
    return true;
  };

  return {
    renewNow,
    async renew(subject, trackId) {
      if (renewNow(subject, trackId)) return true;
      const key = localKey(subject, trackId);
      const isShared = await share(subject, trackId, false);
      const isAdmitted = isShared || (!redis.isUp() && (await peers?.isAdmitted(key)) === true);
      if (isAdmitted) void remember(key, isShared);
      return isAdmitted;
    },

    async admit(subject, trackId) {
      const isShared = await share(subject, trackId, true);
      const told = remember(localKey(subject, trackId), isShared);
      // a player's next request may come to a peer at once
      if (!isShared) await told;
    },
  };
}

/** Whose length comes first: without it "ab" + "c" were "a" + "bc". */
function localKey(subject: string, trackId: string): string {
  return subject.length + trackId.length <= MAX_PLAIN_KEY_LENGTH
    ? `${subject.length} ${subject}${trackId}`
    : `${admissionsKey(subject)} ${trackMember(trackId)}`;
}
