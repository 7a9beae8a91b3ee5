import { type Redis } from 'ioredis';
import { type RedisGateway, RedisUnavailable } from '../../../src/adapters/redis';
import { createAdmissions, type Admissions } from '../../../src/services/admissions';

const TTL_MS = 6 * 60 * 60 * 1000;
const SHARE_INTERVAL_MS = 300_000;

/** A gateway to a Redis that answers every script with the same. */
class FakeRedis implements RedisGateway {
  asked = 0;
  reply = 1;
  isAway = false;

  isUp(): boolean {
    return !this.isAway;
  }

  run<T>(command: (redis: Redis) => Promise<T>): Promise<T> {
    this.asked += 1;
    if (this.isAway) return Promise.reject(new RedisUnavailable());
    return command({ evalsha: () => Promise.resolve(this.reply) } as unknown as Redis);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Lets everything happen that needs no more than promises. */
function settleDown(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

let redis: FakeRedis;
let now: number;
let admissions: Admissions;

beforeEach(() => {
  redis = new FakeRedis();
  now = 1_700_000_000_000;
  admissions = createAdmissions({ redis, ttlMs: TTL_MS, now: () => now });
});

describe('renewNow()', () => {
  it('knows of an admission at once, without asking', async () => {
    expect(admissions.renewNow('anna', 'song')).toBe(false);
    await admissions.admit('anna', 'song');
    redis.asked = 0;
    expect(admissions.renewNow('anna', 'song')).toBe(true);
    expect(admissions.renewNow('anna', 'other')).toBe(false);
    expect(admissions.renewNow('ben', 'song')).toBe(false);
    expect(redis.asked).toBe(0);
  });

  it('starts the admission anew', async () => {
    redis.isAway = true;
    await admissions.admit('anna', 'song');
    for (let i = 0; i < 3; i += 1) {
      now += TTL_MS - 1;
      expect(admissions.renewNow('anna', 'song')).toBe(true);
    }
    now += TTL_MS + 1;
    expect(admissions.renewNow('anna', 'song')).toBe(false);
  });

  it('tells Redis of a running track now and then, in the background', async () => {
    await admissions.admit('anna', 'song');
    redis.asked = 0;
    now += SHARE_INTERVAL_MS - 1;
    admissions.renewNow('anna', 'song');
    expect(redis.asked).toBe(0);
    now += 1;
    for (let i = 0; i < 5; i += 1) expect(admissions.renewNow('anna', 'song')).toBe(true);
    expect(redis.asked).toBe(1);
  });

  it('tells Redis as soon as it is back of what it missed', async () => {
    redis.isAway = true;
    await admissions.admit('anna', 'song');
    redis.asked = 0;
    expect(admissions.renewNow('anna', 'song')).toBe(true);
    expect(redis.asked).toBe(0);
    redis.isAway = false;
    redis.reply = 0;
    expect(admissions.renewNow('anna', 'song')).toBe(true);
    await settleDown();
    // refused is as good as not told
    expect(admissions.renewNow('anna', 'song')).toBe(true);
    expect(redis.asked).toBe(2);
  });

  it('knows afterwards what another process has admitted', async () => {
    expect(admissions.renewNow('anna', 'song')).toBe(false);
    expect(await admissions.renew('anna', 'song')).toBe(true);
    expect(admissions.renewNow('anna', 'song')).toBe(true);
  });

  it.each([
    ['ab', 'c', 'a', 'bc'],
    ['1', '1 1', '11', ' 1'],
    ['', 'a', 'a', ''],
    ['a'.repeat(200), 'b', 'a'.repeat(199), 'ab'],
    ['anna', 'x'.repeat(200), 'ann', `a${'x'.repeat(200)}`],
  ])(
    'tells names apart however they are cut (%#)',
    async (subject, track, otherSubject, otherTrack) => {
      await admissions.admit(subject, track);
      expect(admissions.renewNow(subject, track)).toBe(true);
      expect(admissions.renewNow(otherSubject, otherTrack)).toBe(false);
    },
  );
});
