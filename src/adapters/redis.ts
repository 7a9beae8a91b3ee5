import { isNativeError } from 'node:util/types';
import { Redis } from 'ioredis';
import { type Logger } from '../observability/logger';

/** Redis cannot help now; callers do without it. Never reaches a client. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable';
}

/** Redis as a help, not a condition. */
export interface RedisGateway {
  /**
   * Runs one command (or script) against Redis.
   *
   * @throws RedisUnavailable at once while Redis is away, within 200 ms when it has just gone;
   *   ReplyError when Redis is well and refuses this one command
   */
  run<T>(command: (redis: Redis) => Promise<T>): Promise<T>;
  isUp(): boolean;
  close(): Promise<void>;
}

/** A request waits this long for Redis at the most, and only until the first of them has found out. */
const REPLY_TIMEOUT_MS = 200;
/** ioredis' own limit also ends its greeting on a new connection, which no request waits for. */
const COMMAND_TIMEOUT_MS = 2_000;
const CONNECT_TIMEOUT_MS = 1_000;
/** Redis is used again within 5 s of its return: reconnecting and probing take one of these each. */
const PROBE_INTERVAL_MS = 1_000;
const MAX_RECONNECT_DELAY_MS = 1_000;
/** A connection that swallows this many probes is replaced: its peer may be gone without a word. */
const PROBES_PER_CONNECTION = 3;
/** A peer with its own defaults must not delay the start. */
const FIRST_CONNECT_WAIT_MS = 250;

/** Replies that concern one command or key; all others say that Redis cannot serve us now. */
const COMMAND_ERRORS = /^(?:ERR|WRONGTYPE|NOSCRIPT)\b/;

/**
 * Connects to Redis behind a circuit breaker: the first failure opens it, and only a successful
 * write by the breaker's own probe closes it again, so no request ever pays for finding out.
 *
 * Resolves when it is known whether Redis is there, or after 250 ms.
 *
 * @param url redis://, rediss:// or the path of a socket
 */
export async function connectRedis(url: string, logger: Logger): Promise<RedisGateway> {
  const redis = new Redis(url, {
    // the trap: with ioredis' defaults commands wait for a connection for over a minute
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (attempt) =>
      Math.min(50 * 2 ** Math.min(attempt, 10), MAX_RECONNECT_DELAY_MS) *
      (0.8 + 0.2 * Math.random()),
    // a replica that was promoted or demoted answers READONLY until we connect anew
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
  const gateway = createRedisGateway(redis, logger);
  await gateway.settled;
  return gateway;
}

/** The gateway of a service that runs without Redis by choice. */
export const noRedis: RedisGateway = {
  run: () => Promise.reject(new RedisUnavailable('no Redis is configured')),
  isUp: () => false,
  close: () => Promise.resolve(),
};

type State = 'unknown' | 'up' | 'down';

function createRedisGateway(
  redis: Redis,
  logger: Logger,
): RedisGateway & { readonly settled: Promise<void> } {
  let state: State = 'unknown';
  let lostProbes = 0;
  let settle: () => void = () => undefined;
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
    setTimeout(resolve, FIRST_CONNECT_WAIT_MS).unref();
  });

  const become = (next: 'up' | 'down', error?: unknown): void => {
    settle();
    if (state === next) return;
    state = next;
    if (next === 'up') logger.info('redis is in use: limits and caches are shared');
    else logger.warn('redis is away: limits and caches are local', { reason: reasonOf(error) });
  };

  const probe = async (): Promise<void> => {
    if (state === 'up' || redis.status !== 'ready') return;
    try {
      // a write: a Redis that is full, a replica or loading still answers PING
      await inTime(redis.set('tuneton:probe', '1', 'PX', PROBE_INTERVAL_MS));
      lostProbes = 0;
      become('up');
    } catch (error) {
      become('down', error);
      lostProbes += 1;
      if (lostProbes % PROBES_PER_CONNECTION === 0) redis.disconnect(true);
    }
  };

  const timer = setInterval(() => void probe(), PROBE_INTERVAL_MS);
  timer.unref();
  redis.on('ready', () => void probe());
  redis.on('error', (error) => {
    become('down', error);
  });
  redis.on('close', () => {
    become('down', new RedisUnavailable('connection closed'));
  });

  return {
    settled,
    isUp: () => state === 'up',
    async run(command) {
      if (state !== 'up') throw new RedisUnavailable('redis is away');
      try {
        return await inTime(command(redis));
      } catch (error) {
        if (isCommandError(error)) throw error;
        become('down', error);
        throw new RedisUnavailable('redis is away', { cause: error });
      }
    },
    close() {
      clearInterval(timer);
      redis.removeAllListeners('close');
      // commands in flight are helps, not promises: nothing is worth waiting for
      redis.disconnect();
      return Promise.resolve();
    },
  };
}

/**
 * Rejects when a reply takes too long. A pause of this process is none of Redis': when the time is
 * up, what has arrived meanwhile is read before the verdict.
 */
async function inTime<T>(reply: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      setImmediate(() => {
        setImmediate(() => {
          reject(new RedisUnavailable(`no reply within ${REPLY_TIMEOUT_MS} ms`));
        });
      });
    }, REPLY_TIMEOUT_MS);
  });
  try {
    return await Promise.race([reply, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** A refused connection says what it is in its code, and nothing in its message. */
function reasonOf(error: unknown): string {
  if (!isNativeError(error)) return String(error);
  return error.message || ('code' in error ? String(error.code) : error.name);
}

function isCommandError(error: unknown): boolean {
  return isNativeError(error) && error.name === 'ReplyError' && COMMAND_ERRORS.test(error.message);
}
