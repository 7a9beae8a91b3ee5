import { type RedisGateway } from '../adapters/redis';
import { createRedisScript } from './redis-script';
import { type SharedCount, type SharedCounter } from './shared-counter';

/**
 * KEYS[1] counter; ARGV: hits, window in ms. Answers the total and the milliseconds left. The keys
 * are those of rate-limit-redis, so replicas of before and after count together.
 */
const ADD = createRedisScript(`
local total = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return {total, left}
`);

/**
 * Counts in Redis, for all replicas. Also rejects when something else lies under the key: what it
 * is worth to whoever put it there is not known here.
 */
export function createRedisCounter(redis: RedisGateway): SharedCounter {
  return {
    async add(key, hits, windowMs) {
      const reply = await redis.run((client) => ADD.run(client, [key], [hits, windowMs]));
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
