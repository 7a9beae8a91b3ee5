import { createHash } from 'node:crypto';
import { type RedisGateway } from '../adapters/redis';
import { isUnknownScript } from './quota-store';
import { type SharedCount, type SharedCounter } from './shared-counter';

/**
 * KEYS[1] counter; ARGV: hits, window in ms. Answers the total and the milliseconds left. The keys
 * are those of rate-limit-redis, so replicas of before and after count together.
 */
const ADD = `
local total = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return {total, left}
`;
const ADD_SHA1 = createHash('sha1').update(ADD).digest('hex');

/**
 * Counts in Redis, for all replicas. Also rejects when something else lies under the key: what it
 * is worth to whoever put it there is not known here.
 */
export function createRedisCounter(redis: RedisGateway): SharedCounter {
  return {
    async add(key, hits, windowMs) {
      const reply = await redis.run(async (client) => {
        try {
          return await client.evalsha(ADD_SHA1, 1, key, hits, windowMs);
        } catch (error) {
          if (!isUnknownScript(error)) throw error;
          return client.eval(ADD, 1, key, hits, windowMs);
        }
      });
      // out here: a wrong reply is no absence of Redis
      return parseReply(reply);
    },
  };
}

function parseReply(reply: unknown): SharedCount {
  const [totalHits, endsInMs] = Array.isArray(reply) ? (reply as unknown[]) : [];
  if (!Number.isSafeInteger(totalHits) || !Number.isSafeInteger(endsInMs)) {
    throw new Error('a counter answered with something else than two whole numbers');
  }
  return { totalHits: Number(totalHits), endsInMs: Number(endsInMs) };
}
