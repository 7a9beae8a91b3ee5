import { Redis } from 'ioredis';
import { type Logger } from 'winston';

/** Redis cannot help now; callers do without it. Never reaches a client. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable';
}

/** Redis as a help, not a condition. */
export interface RedisGateway {
  /**
   * Runs one command (or script) against Redis.
   *
   * @throws RedisUnavailable at once while Redis is away, within 200 ms when it has just gone
   */
  run<T>(command: (redis: Redis) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export type { Redis, Logger };
