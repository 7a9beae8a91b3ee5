import { createHash } from 'node:crypto';
import { type Redis } from 'ioredis';

/** A script of Redis, sent by its digest: Redis has seen it before, but for the first time. */
export interface RedisScript {
  /** One command, or two where Redis has not seen the script or has forgotten it. */
  run(client: Redis, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>;
}

export function createRedisScript(lua: string): RedisScript {
  const sha1 = createHash('sha1').update(lua).digest('hex');
  return {
    async run(client, keys, args) {
      try {
        return await client.evalsha(sha1, keys.length, ...keys, ...args);
      } catch (error) {
        if (!isUnknownScript(error)) throw error;
        return client.eval(lua, keys.length, ...keys, ...args);
      }
    },
  };
}

/** Whether Redis was asked by digest for a script it has not seen, or has forgotten. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
