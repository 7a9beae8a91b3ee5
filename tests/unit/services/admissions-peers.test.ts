import { noRedis, RedisUnavailable, type RedisGateway } from '../../../src/adapters/redis';
import { createAdmissions, type Admissions } from '../../../src/services/admissions';
import { type SharedAdmissions } from '../../../src/services/shared-admissions';

const TTL_MS = 6 * 60 * 60 * 1000;
const SHARE_INTERVAL_MS = 300_000;

/** What a primary keeps for its workers. */
function createPeers(): SharedAdmissions & { readonly keys: Set<string>; asked: number } {
  const keys = new Set<string>();
  return {
    keys,
    asked: 0,
    isAdmitted(key) {
      this.asked += 1;
      return Promise.resolve(keys.has(key));
    },
    async admit(key) {
      await Promise.resolve();
      keys.add(key);
    },
  };
}

/** Redis that is there, and knows nobody. */
const emptyRedis: RedisGateway = {
  run: <T>() => Promise.resolve(0 as T),
  isUp: () => true,
  close: () => Promise.resolve(),
};

describe('createAdmissions() with peers', () => {
  let time: number;
  let peers: ReturnType<typeof createPeers>;

  beforeEach(() => {
    time = 1_000;
    peers = createPeers();
  });

  const join = (redis: RedisGateway = noRedis): Admissions =>
    createAdmissions({ redis, peers, ttlMs: TTL_MS, now: () => time });

  it('without Redis, knows at once whom another process has admitted', async () => {
    await join().admit('anna', 'song');
    expect(await join().renew('anna', 'song')).toBe(true);
    expect(await join().renew('anna', 'another')).toBe(false);
    expect(await join().renew('otto', 'song')).toBe(false);
  });

  it('asks once, then knows by itself', async () => {
    await join().admit('anna', 'song');
    const other = join();
    for (let turn = 0; turn < 5; turn += 1) expect(await other.renew('anna', 'song')).toBe(true);
    expect(peers.asked).toBe(1);
  });

  it('does not ask peers while Redis answers', async () => {
    await join().admit('anna', 'song');
    expect(await join(emptyRedis).renew('anna', 'song')).toBe(false);
    expect(peers.asked).toBe(0);
  });

  it('tells peers while Redis answers: it may leave', async () => {
    await join(emptyRedis).admit('anna', 'song');
    expect(await join().renew('anna', 'song')).toBe(true);
  });

  it('tells peers of a running track now and then, not with each request', async () => {
    const admissions = join();
    await admissions.admit('anna', 'song');
    peers.keys.clear();
    time += SHARE_INTERVAL_MS - 1;
    await admissions.renew('anna', 'song');
    expect(peers.keys.size).toBe(0);
    time += 1;
    await admissions.renew('anna', 'song');
    await Promise.resolve();
    expect(peers.keys.size).toBe(1);
  });

  it('asks the peers when Redis has just gone', async () => {
    await join().admit('anna', 'song');
    let isUp = true;
    const leaving: RedisGateway = {
      ...noRedis,
      isUp: () => isUp,
      run: () => {
        isUp = false;
        return Promise.reject(new RedisUnavailable('gone'));
      },
    };
    expect(await join(leaving).renew('anna', 'song')).toBe(true);
  });
});
