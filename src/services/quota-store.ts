import { createHash } from 'node:crypto';
import { MemoryStore, type IncrementResponse, type Options, type Store } from 'express-rate-limit';
import { RedisStore, type RedisReply } from 'rate-limit-redis';
import { type RedisGateway } from '../adapters/redis';

/**
 * Counts hits in Redis for all replicas, and in this process as well: when Redis leaves, the
 * limit goes on from what this process has seen instead of from zero, and when it comes back
 * what was counted meanwhile is not forgiven.
 *
 * @param prefix of the keys; one for each kind of quota
 */
export function createQuotaStore(redis: RedisGateway, prefix: string): Store {
  const local = new MemoryStore();
  const shared = new RedisStore({ prefix, sendCommand: createScriptSender(redis) });

  return {
    prefix,
    localKeys: false,
    init(options: Options) {
      local.init(options);
      void shared.init(options);
    },
    async increment(key) {
      const [own, all] = await Promise.all([
        local.increment(key),
        // away, or a foreign value under our key: this process decides alone
        shared.increment(key).catch(() => undefined),
      ]);
      return all === undefined ? own : greater(own, all);
    },
    async decrement(key) {
      await Promise.all([local.decrement(key), shared.decrement(key).catch(() => undefined)]);
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

export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
