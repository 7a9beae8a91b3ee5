import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from '../support/audio-files';
import { holdDownload } from '../support/held-download';
import { parseJson, send, type Answer } from '../support/http-client';
import { patternedBytes } from '../support/patterned-bytes';
import { startRedis, stopRedis } from '../support/redis-process';
import {
  startService,
  stopServices,
  type LogLine,
  type ServiceProcess,
} from '../support/service-process';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

/** The kernel takes less of a response that nobody reads. */
const LONG_BYTES = 40_000_000;
const REVOKED_WITHIN_MS = 1_000;
/** What it may take beside that, as a machine may become busy with other things. */
const BUSY_MACHINE_MS = 500;
const IN_USE = 'redis is in use: limits and caches are shared';

const library = createTempFolder();
const authorization = bearer();

beforeAll(async () => {
  writeFileSync(join(library, 'long.mp3'), patternedBytes(LONG_BYTES));
  await encode(join(library, 'short.flac'), 0.3, []);
}, 60_000);

afterEach(async () => {
  await stopServices();
  await stopRedis();
});
afterAll(removeTempFolders);

interface Playback {
  readonly id: string;
  readonly url: string;
}

async function start(env: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  const service = await startService({ AUDIO_FILES_DIR: library, ...env });
  // where the machine is slow it listens before
  if (env.REDIS_URL) await untilInUse(service, 1);
  return service;
}

/** Settles when the service has said so often that it uses Redis. */
function untilInUse({ log }: ServiceProcess, times: number): Promise<void> {
  const isInUse = ({ message }: LogLine): boolean => message === IN_USE;
  return until(() => log.filter(isInUse).length >= times, 'redis is in use');
}

async function begin({ port }: ServiceProcess, trackId: string): Promise<Playback> {
  const path = `/api/stream/${trackId}/playback`;
  const answer = await send(port, path, { method: 'POST', headers: { authorization } });
  expect(answer.status).toBe(201);
  return (parseJson(answer) as { data: Playback }).data;
}

async function revoke({ port }: ServiceProcess, trackId: string, id: string): Promise<void> {
  const path = `/api/stream/${trackId}/playback/${id}`;
  const answer = await send(port, path, { method: 'DELETE', headers: { authorization } });
  expect(answer.status).toBe(204);
}

function probe({ port }: ServiceProcess, url: string): Promise<Answer> {
  return send(port, url, { headers: { range: 'bytes=0-1' } });
}

async function statusOf(service: ServiceProcess, url: string): Promise<unknown> {
  const answer = await probe(service, url);
  return answer.status === 403 ? parseJson(answer).code : answer.status;
}

describe('playback grants of the built service', () => {
  it('end on all replicas within a second, with what is running of them', async () => {
    const socket = join(createTempFolder(), 'redis.sock');
    await startRedis(socket);
    const [here, there] = await Promise.all([
      start({ REDIS_URL: socket }),
      start({ REDIS_URL: socket }),
    ]);
    const revoked = await begin(here, 'long');
    const other = await begin(here, 'long');
    expect(await statusOf(there, revoked.url)).toBe(206);
    const held = await holdDownload(there.port, revoked.url);

    const revokedAt = performance.now();
    await revoke(here, 'long', revoked.id);
    expect(await statusOf(here, revoked.url)).toBe('grant_ended');
    await there.logged((line) => line.cutReason === 'grant-ended' && line.playback === revoked.id);
    const cutAfterMs = performance.now() - revokedAt;
    expect(cutAfterMs).toBeLessThan(REVOKED_WITHIN_MS + BUSY_MACHINE_MS);
    await until(
      async () => (await statusOf(there, revoked.url)) === 'grant_ended',
      'the other replica refuses it',
    );
    const refusedAfterMs = performance.now() - revokedAt;
    expect(refusedAfterMs).toBeLessThan(REVOKED_WITHIN_MS + BUSY_MACHINE_MS);
    expect(await statusOf(there, other.url)).toBe(206);
    await expect(held.finish()).rejects.toThrow('aborted');
  }, 60_000);

  it('go on while Redis is away, and those revoked here stay so', async () => {
    const socket = join(createTempFolder(), 'redis.sock');
    const redis = await startRedis(socket);
    const service = await start({ REDIS_URL: socket });
    const before = await begin(service, 'long');
    await redis.signal('SIGKILL');
    expect(await statusOf(service, before.url)).toBe(206);

    const during = await begin(service, 'long');
    expect(await statusOf(service, during.url)).toBe(206);
    for (const { id, url } of [before, during]) {
      const forged = url.replace(/.(?=&v=)/, (last) => (last === 'A' ? 'Q' : 'A'));
      expect(await statusOf(service, forged)).toBe('invalid_grant');
      await revoke(service, 'long', id);
      expect(await statusOf(service, url)).toBe('grant_ended');
    }

    await startRedis(socket);
    await untilInUse(service, 2);
    for (const { url } of [before, during]) {
      expect(await statusOf(service, url)).toBe('grant_ended');
    }
    const output = JSON.stringify(service.log) + service.stderr;
    for (const { url } of [before, during]) {
      expect(output).not.toContain(/[\w-]{43}(?=&v=)/.exec(url)![0]);
    }
  }, 60_000);

  it('end at their signed end without Redis, in every process that knows the secret', async () => {
    const env = { REDIS_URL: '', PLAYBACK_PAUSE_SECONDS: '0' };
    const [here, there] = await Promise.all([start(env), start(env)]);
    const { url } = await begin(here, 'short');
    expect(await statusOf(there, url)).toBe(206);
    for (const service of [here, there]) {
      await until(async () => (await statusOf(service, url)) === 'grant_ended', 'its end');
    }
  }, 60_000);

  it('need the same secret', async () => {
    const secret = 'another-secret-for-grants-of-32-bytes';
    const [here, there] = await Promise.all([
      start({ PLAYBACK_SECRET: secret }),
      start({ JWT_SECRET: secret, JWT_SECRET_PREVIOUS: 'a-secret-for-tests-of-32-bytes-or-more' }),
    ]);
    const own = await begin(here, 'long');
    expect(await statusOf(here, own.url)).toBe(206);
    expect(await statusOf(there, own.url)).toBe('invalid_grant');
    const derived = await begin(await start({}), 'long');
    // the previous secret of tokens is that of grants still to be checked
    expect(await statusOf(there, derived.url)).toBe(206);
    expect(await statusOf(here, derived.url)).toBe('invalid_grant');
  }, 60_000);
});
