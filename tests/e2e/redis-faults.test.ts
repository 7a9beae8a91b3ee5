import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { send, type Answer } from '../support/http-client';
import { patternedBytes } from '../support/patterned-bytes';
import { findFreePort, startRedis, stopRedis, type RedisProcess } from '../support/redis-process';
import { startService, stopServices, type ServiceProcess } from '../support/service-process';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

/** One window from the first test to the last request in it. */
const WINDOW_MS = 120_000;
/** A request may wait for Redis this long, and only the first few may. */
const ADDED_LATENCY_MS = 250;
/** What a request may take beside that and what it takes without Redis, as chance will have it. */
const BUSY_MACHINE_MS = 250;
/** A request that waits for a command in vain waits this long. */
const COMMAND_TIMEOUT_MS = 200;
const BACK_WITHIN_MS = 5_000;
const AWAY = 'redis is away: limits and caches are local';
const IN_USE = 'redis is in use: limits and caches are shared';
const OPENINGS = 'tuneton:quota:openings:*';

const library = createTempFolder();

beforeAll(() => {
  for (let i = 0; i < 301; i += 1) {
    writeFileSync(join(library, `track-${i}.mp3`), patternedBytes(100, i));
  }
});
afterEach(async () => {
  await stopServices();
  await stopRedis();
});
afterAll(removeTempFolders);

function startPlayer(
  redisUrl: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> {
  return startService({
    AUDIO_FILES_DIR: library,
    REDIS_URL: redisUrl,
    RATE_LIMIT_WINDOW_MS: `${WINDOW_MS}`,
    ...env,
  });
}

function socketPath(): string {
  return join(createTempFolder(), 'redis.sock');
}

type Listener = (track: number, service?: ServiceProcess) => Promise<Answer>;

/** Somebody nobody else has met, with a token. */
function createListener(service: ServiceProcess): Listener {
  const headers = { Authorization: bearer() };
  return (track, { port } = service) => send(port, `/api/stream/track-${track}`, { headers });
}

/** Opens tracks one after the other and returns the statuses. */
async function open(listener: Listener, first: number, count: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let track = first; track < first + count; track += 1) {
    statuses.push((await listener(track)).status);
  }
  return statuses;
}

function repeat(status: number, count: number): number[] {
  return Array<number>(count).fill(status);
}

function countLines({ log }: ServiceProcess, message: string): number {
  return log.filter((line) => line.message === message).length;
}

/** Settles when the service uses Redis by what it has said last. */
function untilInUse({ log }: ServiceProcess): Promise<void> {
  const isInUse = (): boolean =>
    log.findLast(({ message }) => message === IN_USE || message === AWAY)?.message === IN_USE;
  return until(isInUse, 'redis is in use', BACK_WITHIN_MS);
}

/** A service whose Redis is there: it listens without waiting for it where the machine is slow. */
async function startPlayerInUse(...args: Parameters<typeof startPlayer>): Promise<ServiceProcess> {
  const service = await startPlayer(...args);
  await untilInUse(service);
  return service;
}

async function countsInRedis({ client }: RedisProcess): Promise<number[]> {
  const keys = await client.keys(OPENINGS);
  return Promise.all(keys.map(async (key) => Number(await client.get(key))));
}

interface Sample {
  readonly status: number;
  readonly startedAt: number;
  readonly durationMs: number;
}

interface Load {
  /** what was answered so far */
  readonly samples: readonly Sample[];
  stop(): Promise<readonly Sample[]>;
}

/** Eight listeners who open tracks without a pause until told to stop. */
function applyLoad(service: ServiceProcess): Load {
  let isStopped = false;
  const samples: Sample[] = [];
  const listen = async (): Promise<void> => {
    for (let turn = 0; !isStopped; turn += 1) {
      // each listener once for each track: the way on which Redis is asked most
      const listener = createListener(service);
      const startedAt = performance.now();
      const { status } = await listener(turn % 301);
      samples.push({ status, startedAt, durationMs: performance.now() - startedAt });
    }
  };
  const listeners = Array.from({ length: 8 }, listen);
  return {
    samples,
    async stop() {
      isStopped = true;
      await Promise.all(listeners);
      return samples;
    },
  };
}

interface Loads {
  /** of the service that loses its Redis */
  readonly load: Load;
  /** of a service that has none: how busy the machine is, before the fault and after */
  readonly control: Load;
}

async function applyBothLoads(service: ServiceProcess): Promise<Loads> {
  const without = await startPlayer('');
  const loads = { load: applyLoad(service), control: applyLoad(without) };
  await delay(1_000);
  await until(() => Object.values(loads).every(({ samples }) => samples.length > 50), 'the load');
  return loads;
}

/** Goes on for some time after the fault, and until there is something to compare. */
async function expectNoDelay(
  { load, control }: Loads,
  faultAt: number,
  forMs: number,
): Promise<void> {
  // who came after the first had found out
  const isLater = ({ startedAt }: Sample): boolean => startedAt > faultAt + ADDED_LATENCY_MS + 50;
  await delay(forMs);
  await until(() => load.samples.filter(isLater).length > 50, 'the load goes on');
  const [samples, others] = await Promise.all([load.stop(), control.stop()]);

  expect(new Set(samples.map(({ status }) => status))).toEqual(new Set([200]));
  const isBefore = ({ startedAt, durationMs }: Sample): boolean =>
    startedAt + durationMs <= faultAt;
  const [before, during] = [samples.filter(isBefore), samples.filter((each) => !isBefore(each))];
  const usual = (share: number): number =>
    Math.max(slowestOf(before, share), slowestOf(others, share));
  expect(slowestOf(during, 1)).toBeLessThan(usual(1) + ADDED_LATENCY_MS + BUSY_MACHINE_MS);
  // the slowest twentieth is left to the machine
  const later = during.filter(isLater);
  expect(slowestOf(later, 0.95)).toBeLessThan(usual(0.95) + COMMAND_TIMEOUT_MS * 0.9);
}

/** Time that the slowest request took when `1 - share` of them are left out, in milliseconds. */
function slowestOf(samples: readonly Sample[], share: number): number {
  expect(samples.length).toBeGreaterThan(20);
  const durations = samples.map(({ durationMs }) => durationMs).sort((a, b) => a - b);
  return durations[Math.ceil(durations.length * share) - 1]!;
}

/** @returns what came of it, and the time that took in milliseconds */
async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const startedAt = performance.now();
  const outcome = await work();
  return [outcome, performance.now() - startedAt];
}

describe('without Redis', () => {
  it('starts at once, answers without delay, and says so once', async () => {
    const port = await findFreePort();
    // beside one that looks for none, on the same machine at the same time
    const [[service, startMs], [other, otherStartMs]] = await Promise.all([
      timed(() => startPlayer(`redis://127.0.0.1:${port}`)),
      timed(() => startPlayer('')),
    ]);
    expect(startMs).toBeLessThan(otherStartMs + 2_000);

    const openTwenty = (each: ServiceProcess): Promise<number[]> =>
      open(createListener(each), 0, 20);
    const [[statuses, openMs], [, otherOpenMs]] = await Promise.all([
      timed(() => openTwenty(service)),
      timed(() => openTwenty(other)),
    ]);
    expect(statuses).toEqual(repeat(200, 20));
    expect(openMs).toBeLessThan(otherOpenMs + 1_500);
    expect(await send(service.port, '/health')).toMatchObject({ status: 200 });
    expect(countLines(service, AWAY)).toBe(1);
    expect(service.stderr).toBe('');
  });

  it('uses it within 5 s when it comes, and enforces limits through it', async () => {
    const path = socketPath();
    const service = await startPlayer(path, { RATE_LIMIT_MAX: '5' });
    expect(await open(createListener(service), 0, 1)).toEqual([200]);

    const redis = await startRedis(path);
    await untilInUse(service);
    const statuses = await open(createListener(service), 0, 12);
    expect(statuses).toEqual([...repeat(200, 5), ...repeat(429, 7)]);
    expect(await countsInRedis(redis)).toEqual([12]);
    expect(countLines(service, AWAY)).toBe(1);
  });
});

describe('when Redis leaves', () => {
  it('goes on without errors and without delay when it is killed under load', async () => {
    const port = await findFreePort();
    const redis = await startRedis(port);
    const service = await startPlayerInUse(`redis://127.0.0.1:${port}`);
    const loads = await applyBothLoads(service);
    await untilInUse(service); // a machine that is held up may miss it before
    const awayBefore = countLines(service, AWAY);

    const faultAt = performance.now();
    await redis.signal('SIGKILL');
    await expectNoDelay(loads, faultAt, 1_500);
    expect(countLines(service, AWAY)).toBe(awayBefore + 1);

    await startRedis(port);
    await untilInUse(service);
  });

  it('goes on without errors and without delay when it freezes under load, and thaws with it', async () => {
    const port = await findFreePort();
    const redis = await startRedis(port);
    const service = await startPlayerInUse(`redis://127.0.0.1:${port}`);
    const loads = await applyBothLoads(service);
    await untilInUse(service);
    const awayBefore = countLines(service, AWAY);

    const faultAt = performance.now();
    await redis.signal('SIGSTOP');
    // long enough for some probes of it to be lost
    await expectNoDelay(loads, faultAt, 4_500);
    expect(countLines(service, AWAY)).toBe(awayBefore + 1);

    await redis.signal('SIGCONT');
    await untilInUse(service);
    await redis.client.flushall();
    expect(await open(createListener(service), 0, 3)).toEqual(repeat(200, 3));
    expect(await countsInRedis(redis)).toEqual([3]);
    expect(service.stderr).toBe('');
  });

  it('counts on from what was counted, and forgives nothing when it is back', async () => {
    const path = socketPath();
    const redis = await startRedis(path);
    const service = await startPlayerInUse(path, { RATE_LIMIT_MAX: '5' });
    const listener = createListener(service);
    expect(await open(listener, 0, 3)).toEqual(repeat(200, 3));

    await redis.signal('SIGKILL');
    await service.logged(AWAY);
    expect(await open(listener, 3, 4)).toEqual([200, 200, 429, 429]);
    // whoever was admitted still is
    expect(await open(listener, 0, 5)).toEqual(repeat(200, 5));

    await startRedis(path);
    await untilInUse(service);
    expect(await open(listener, 7, 2)).toEqual([429, 429]);
    expect(await open(listener, 0, 5)).toEqual(repeat(200, 5));
  });
});

describe('when the service itself is held up', () => {
  it('does not take its own pause for an absence of Redis', async () => {
    // as a container is that has used up its share of the processor
    const path = socketPath();
    const redis = await startRedis(path);
    const service = await startPlayerInUse(path);
    const load = applyLoad(service);
    await delay(300);
    for (let pause = 0; pause < 8; pause += 1) {
      service.signal('SIGSTOP');
      await delay(300);
      service.signal('SIGCONT');
      await delay(70);
    }
    const samples = await load.stop();

    expect(new Set(samples.map(({ status }) => status))).toEqual(new Set([200]));
    expect(countLines(service, AWAY)).toBe(0);
    // none of them was counted locally only
    const counts = await countsInRedis(redis);
    expect(counts.reduce((sum, count) => sum + count)).toBe(samples.length);
  });
});

describe('when Redis forgets', () => {
  it.each(['SCRIPT FLUSH', 'FLUSHALL'])('counts on without an error after %s', async (command) => {
    const path = socketPath();
    const redis = await startRedis(path);
    const service = await startPlayerInUse(path, { RATE_LIMIT_MAX: '5' });
    const listener = createListener(service);
    expect(await open(listener, 0, 3)).toEqual(repeat(200, 3));

    const [name, ...args] = command.split(' ');
    await redis.client.call(name!, ...args);
    expect(await open(listener, 3, 3)).toEqual([200, 200, 429]);
    expect(await open(createListener(service), 0, 2)).toEqual([200, 200]);

    const counts = await countsInRedis(redis);
    expect(counts.sort()).toEqual(command === 'FLUSHALL' ? [2, 3] : [2, 6]);
    expect(service.log.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
    expect(countLines(service, IN_USE)).toBe(1);
  });
});

describe('two processes with one Redis', () => {
  let redis: RedisProcess;
  let one: ServiceProcess;
  let other: ServiceProcess;

  beforeEach(async () => {
    const path = socketPath();
    redis = await startRedis(path);
    [one, other] = await Promise.all([startPlayerInUse(path), startPlayerInUse(path)]);
  });

  it('let a listener go on at one with what was opened at the other, for nothing', async () => {
    const listener = createListener(one);
    expect((await listener(0)).headers.ratelimit).toContain('"openings"; r=299;');
    for (let seek = 1; seek <= 10; seek += 1) {
      const { status, headers } = await listener(0, other);
      expect(status).toBe(200);
      expect(headers.ratelimit).toContain(`"continuations"; r=${6000 - seek};`);
    }
    expect((await listener(1, other)).headers.ratelimit).toContain('"openings"; r=298;');
    expect(await countsInRedis(redis)).toEqual([2]);
  });

  it('share one quota: of 301 tracks opened over both, the last is one too many', async () => {
    const listener = createListener(one);
    for (let track = 0; track < 300; track += 10) {
      const ten = Array.from({ length: 10 }, (_, i) =>
        listener(track + i, i % 2 === 0 ? one : other),
      );
      const answers = await Promise.all(ten);
      expect(answers.map(({ status }) => status)).toEqual(repeat(200, 10));
    }
    expect((await listener(300, one)).status).toBe(429);
    const refused = await listener(300, other);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    // who opened it at one may go on at the other, quota or none
    expect((await listener(0, other)).status).toBe(200);
  });

  it('tell each other of what was opened while Redis was away', async () => {
    const listener = createListener(one);
    await redis.signal('SIGSTOP');
    expect((await listener(0)).status).toBe(200);
    await one.logged(AWAY);
    await redis.signal('SIGCONT');
    await untilInUse(one);

    expect((await listener(0)).status).toBe(200);
    await until(
      async () => (await redis.client.keys('tuneton:admissions:*')).length === 1,
      'the admission is in redis',
    );
    await until(() => countLines(other, IN_USE) > countLines(other, AWAY), 'the other is back too');
    expect((await listener(0, other)).headers.ratelimit).toContain('"continuations"');
  });
});
