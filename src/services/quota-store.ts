import { createHash } from 'node:crypto';
import { MemoryStore, type IncrementResponse, type Options, type Store } from 'express-rate-limit';
import { RedisStore, type RedisReply } from 'rate-limit-redis';
import { type RedisGateway } from '../adapters/redis';
import { isUnknownScript } from './redis-script';
import { type SharedCounter } from './shared-counter';

/**
 * Counts hits in Redis for all replicas, and in this process as well: when Redis leaves, the
 * limit goes on from what this process has seen instead of from zero, and when it comes back
 * what was counted meanwhile is not forgiven. Where several processes of a machine serve, their
 * common count is a third, and the greatest decides.
 *
 * @param prefix of the keys; one for each kind of quota
 * @param peers counts for the processes of this machine
 */
export function createQuotaStore(
  redis: RedisGateway,
  prefix: string,
  peers?: SharedCounter,
): Store {
  const local = new MemoryStore();
  const shared = new RedisStore({ prefix, sendCommand: createScriptSender(redis) });
  let windowMs = 0;

  const countWithPeers = async (
    key: string,
    hits: number,
  ): Promise<IncrementResponse | undefined> => {
    const count = await peers?.add(prefix + key, hits, windowMs);
    return (
      count && { totalHits: count.totalHits, resetTime: new Date(Date.now() + count.endsInMs) }
    );
  };

  return {
    prefix,
    localKeys: false,
    init(options: Options) {
      windowMs = options.windowMs;
      local.init(options);
      void shared.init(options);
    },
    async increment(key) {
      const [own, ...others] = await Promise.all([
        // its own record, which goes on counting while the others are asked
        local.increment(key).then((record) => ({ ...record })),
        countWithPeers(key, 1).catch(() => undefined),
        // away, or a foreign value under our key: it is decided without
        shared.increment(key).catch(() => undefined),
      ]);
      return others.filter((count) => count !== undefined).reduce(greater, own);
    },
    async decrement(key) {
      await Promise.all([
        local.decrement(key),
        countWithPeers(key, -1).catch(() => undefined),
        shared.decrement(key).catch(() => undefined),
      ]);
    },
    async resetKey(key) {
      await Promise.all([local.resetKey(key), shared.resetKey(key).catch(() => undefined)]);
    },
    shutdown() {
      local.shutdown();
    },
  };
}

function greater(a: IncrementResponse, b: IncrementResponse): IncrementResponse {
  return a.totalHits > b.totalHits ? a : b;
}

/**
 * rate-limit-redis loads its script once, at start, and is broken for ever when Redis is away in
 * that moment. Here loading is answered without Redis, and a script Redis does not know is sent whole.
 */
function createScriptSender(redis: RedisGateway): (...command: string[]) => Promise<RedisReply> {
  const scripts = new Map<string, string>();

  return async (name = '', ...args) => {
    const [first = '', ...rest] = args;
    if (name === 'SCRIPT' && first === 'LOAD') {
      const script = rest[0] ?? '';
      const sha1 = createHash('sha1').update(script).digest('hex');
      scripts.set(sha1, script);
      return sha1;
    }
    return redis.run(async (client) => {
      try {
        return (await client.call(name, ...args)) as RedisReply;
      } catch (error) {
        const script = name === 'EVALSHA' ? scripts.get(first) : undefined;
        if (script === undefined || !isUnknownScript(error)) throw error;
        return (await client.call('EVAL', script, ...rest)) as RedisReply;
      }
    });
  };
}
