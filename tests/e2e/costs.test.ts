/**
 * What requests cost, in calls instead of milliseconds: exact on every machine, however busy.
 *
 * The service runs with its clock held still (support/count-calls.ts), so batches, heat windows and
 * the trust in a kept handle end only where a scenario says so.
 *
 * When a number here changes, the message of the failing test shows the new one. A lower one is
 * written down as it is. A higher one makes the service dearer for everybody: it needs its reason in
 * the commit that raises it. The comment beside a number says where it comes from, and is kept true.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Calls } from '../support/count-calls';
import { until } from '../support/until';
import { startCountedService, type CountedService } from '../support/counted-service';
import { send, type Answer, type RequestInit } from '../support/http-client';
import { patternedBytes } from '../support/patterned-bytes';
import { startRedis, stopRedis, type RedisProcess } from '../support/redis-process';
import { stopServices } from '../support/service-process';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const TRACK_BYTES = 1_048_576;
const SEEK_BYTES = 65_536;
/** Lines and settlements have gone by then; handles are still kept, blocks still hot. */
const BATCH_MS = 50;
/** Nothing is kept, hot or crowded any more. */
const REST_MS = 2_000;
/** Within a sweep of the kept handles, which are closed when nobody has used them in one. */
const PAUSE_MS = 100;

const NOTHING: Calls = {
  opens: 0,
  stats: 0,
  links: 0,
  reads: 0,
  otherFiles: {},
  signatures: 0,
  digests: 0,
  redis: {},
  lines: 0,
  writes: 0,
};
/** One request, one line, and alone it has a write to itself. */
const LOGGED = { lines: 1, writes: 1 };
/** Whoever opens a track that is not remembered: .flac, which is asked for before .wav, and .wav. */
const FIND = {
  opens: 2,
  stats: 1, // of the handle
  links: 2, // where the handle leads, and where the library lies
  reads: 1, // the first bytes, which tell the format
};
/** The second time, 500 ms later or more: the folder is looked at, and the search holds for its state. */
const FIND_AND_LOOK = { ...FIND, stats: 2, links: 3, reads: 0 };
/** From then on: under its name at once. */
const OPEN = {
  opens: 1,
  stats: 2, // of the handle; of the folder, when that was not looked at for 500 ms
  links: 1, // where the folder lies, which is the library here
};
/** The same within 500 ms. */
const OPEN_AGAIN = { opens: 1, stats: 1 };
/** Fifteen extensions in three spellings, then a look at the library. */
const OPEN_ABSENT = { opens: 45, stats: 1 };

/** In 2100, whatever the service takes for now. */
const FAR_FUTURE = 4_102_444_800;

/** By the clock of the service no file is new: what has changed in the last seconds is not remembered. */
const AHEAD_MS = 600_000;

const library = createTempFolder();
let tracks = 0;
let redis: RedisProcess;

/** A listener nobody has met, and a track nobody has asked for. */
class Player {
  readonly id: string;
  readonly path: string;
  readonly headers: { readonly Authorization: string };
  private etag = '';

  constructor(readonly service: CountedService) {
    tracks += 1;
    // names of one length: so are their log lines
    const number = `${tracks}`.padStart(4, '0');
    this.id = `track-${number}`;
    this.path = `/api/stream/${this.id}`;
    this.headers = { Authorization: bearer({ sub: `listener-${number}`, exp: FAR_FUTURE }) };
    writeFileSync(join(library, `${this.id}.wav`), createWave());
  }

  ask(fields: RequestInit['headers'] = {}, method = 'GET', suffix = ''): Promise<Answer> {
    const headers = { ...this.headers, ...fields };
    return send(this.service.port, this.path + suffix, { method, headers });
  }

  /** @param n which piece of 64 KiB, from the start again behind the last */
  seek(n = 0): Promise<Answer> {
    const firstPos = (n * SEEK_BYTES) % TRACK_BYTES;
    return this.ask({ Range: `bytes=${firstPos}-${firstPos + SEEK_BYTES - 1}` });
  }

  /**
   * One after the other, each of them over with all that follows from it.
   *
   * @param step pieces from one to the next
   */
  async seekOften(times: number, { pauseMs = 0, step = 0 } = {}): Promise<void> {
    for (let i = 0; i < times; i += 1) {
      await this.seek(i * step);
      await this.service.settle(pauseMs);
    }
  }

  /** Opens the track and goes on with it, so that this process knows the listener's quotas. */
  async listen(): Promise<void> {
    await this.seekOften(3);
    await this.service.settle(REST_MS);
  }

  /** So many ask for the first piece that the next request is the nth of the crowd. */
  async gather(n: number): Promise<void> {
    await this.listen();
    await this.seekOften(n - 1);
  }

  /** Asks only whether the track has changed. */
  revalidate(suffix = ''): Promise<Answer> {
    return this.ask({ 'If-None-Match': this.etag }, 'GET', suffix);
  }

  /** Asks for the entity tag that a later request shows. */
  async learnTag(suffix = ''): Promise<void> {
    this.etag = String((await this.ask({}, 'HEAD', suffix)).headers.etag);
  }
}

interface Scenario {
  readonly name: string;
  /** not counted */
  readonly prepare?: (player: Player) => Promise<void>;
  readonly act: (player: Player) => Promise<Answer>;
  readonly status: number;
  readonly costs: Partial<Calls>;
  /** what differs when the app alone answers */
  readonly withoutLane?: Partial<Calls>;
}

const scenarios: readonly Scenario[] = [
  {
    name: 'the first request of a listener for a track',
    act: (player) => player.seek(),
    status: 206,
    costs: {
      ...FIND,
      reads: 2, // the first bytes, and the range at once
      signatures: 1,
      digests: 8,
      redis: { evalsha: 3 }, // admitted? count, admit
    },
    withoutLane: { digests: 7 },
  },
  {
    name: 'the second request, when this process has not heard of the quota yet',
    prepare: async (player) => {
      await player.seekOften(1);
      await player.service.settle(REST_MS);
    },
    act: (player) => player.seek(1),
    status: 206,
    // opened by the lane, which leaves it to the app
    costs: { ...FIND_AND_LOOK, reads: 1, digests: 4, redis: { evalsha: 1 } },
    withoutLane: { digests: 3 },
  },
  {
    name: 'a lone seek',
    prepare: (player) => player.listen(),
    act: (player) => player.seek(1),
    status: 206,
    costs: {
      ...OPEN,
      reads: 1,
      digests: 2, // of the token and of the subject
      redis: { evalsha: 1 }, // settled after the answer
    },
  },
  {
    name: 'a seek within 500 ms of another',
    prepare: async (player) => {
      await player.listen();
      await player.seekOften(1);
    },
    act: (player) => player.seek(1),
    status: 206,
    costs: { ...OPEN_AGAIN, reads: 1, digests: 2, redis: { evalsha: 1 } },
  },
  {
    name: 'a precondition that fails',
    prepare: (player) => player.listen(),
    act: (player) => player.ask({ 'If-Match': '"another"' }),
    status: 412,
    costs: { ...OPEN, digests: 2, redis: { evalsha: 1 } },
  },
  {
    name: 'a whole track of 1 MiB',
    prepare: (player) => player.listen(),
    act: (player) => player.ask(),
    status: 200,
    costs: {
      ...OPEN,
      reads: 4, // of 256 KiB
      digests: 2,
      redis: { evalsha: 1 },
    },
  },
  {
    name: 'the 4th of a crowd, whose handle is kept',
    prepare: (player) => player.gather(4),
    act: (player) => player.seek(5),
    status: 206,
    // from now on a read is checked: the file may be overwritten under its kept handle
    costs: { ...OPEN_AGAIN, stats: 2, reads: 1, digests: 2, redis: { evalsha: 1 } },
  },
  {
    name: 'the 5th of a crowd, by the kept handle',
    prepare: (player) => player.gather(5),
    act: (player) => player.seek(5),
    status: 206,
    costs: { stats: 1, reads: 1, digests: 2, redis: { evalsha: 1 } },
  },
  {
    name: 'the third of a crowd to ask for a block, which becomes hot',
    prepare: (player) => player.gather(6),
    act: (player) => player.seek(),
    status: 206,
    costs: {
      stats: 2,
      reads: 2, // the range, and the block beside
      digests: 2,
      redis: { evalsha: 1 },
    },
  },
  {
    name: 'one of a crowd on a hot block',
    prepare: (player) => player.gather(7),
    act: (player) => player.seek(),
    status: 206,
    costs: { digests: 2, redis: { evalsha: 1 } },
  },
  {
    name: 'one of a crowd when the kept handle has not been looked at for 500 ms',
    prepare: async (player) => {
      await player.gather(7);
      await player.seekOften(5, { pauseMs: PAUSE_MS });
    },
    act: (player) => player.seek(),
    status: 206,
    costs: {
      stats: 2, // .flac and .wav
      digests: 2,
      redis: { evalsha: 1 },
    },
  },
  {
    name: 'a conditional request, alone',
    prepare: async (player) => {
      await player.learnTag();
      await player.listen();
    },
    act: (player) => player.revalidate(),
    status: 304,
    costs: {
      ...OPEN,
      digests: 1, // of the token; a 304 uses up no quota
    },
  },
  {
    name: 'a conditional request in a crowd',
    prepare: async (player) => {
      await player.learnTag();
      await player.gather(5);
    },
    act: (player) => player.revalidate(),
    status: 304,
    costs: { digests: 1 },
  },
  {
    name: 'HEAD',
    prepare: (player) => player.listen(),
    act: (player) => player.ask({}, 'HEAD'),
    status: 200,
    costs: { ...OPEN, digests: 2, redis: { evalsha: 1 } },
  },
  {
    name: 'a range behind the end',
    prepare: (player) => player.listen(),
    act: (player) => player.ask({ Range: `bytes=${TRACK_BYTES}-` }),
    status: 416,
    costs: { ...OPEN, digests: 2, redis: { evalsha: 1 } },
  },
  {
    name: 'metadata that must be read',
    prepare: (player) => player.listen(),
    act: (player) => player.ask({}, 'GET', '/metadata'),
    status: 200,
    costs: {
      ...OPEN,
      opens: OPEN.opens + 1, // is its loudness on the disk, when Redis has not got it?
      reads: 2, // by the parser
      digests: 4, // of the token, the subject, the state of the track and its measurement
      redis: { evalsha: 1, getrange: 2, set: 1 },
    },
  },
  {
    name: 'metadata that this process has answered before',
    prepare: async (player) => {
      await player.listen();
      await player.ask({}, 'GET', '/metadata');
      await player.service.settle(REST_MS);
    },
    act: (player) => player.ask({}, 'GET', '/metadata'),
    status: 200,
    costs: { ...OPEN, digests: 2, redis: { evalsha: 1 } },
  },
  {
    name: 'a conditional request for metadata',
    prepare: async (player) => {
      await player.learnTag('/metadata');
      await player.listen();
    },
    act: (player) => player.revalidate('/metadata'),
    status: 304,
    costs: { ...OPEN, digests: 1 },
  },
  {
    name: 'an unknown track',
    prepare: (player) => player.listen(),
    act: (player) => player.ask({}, 'GET', '-none'),
    status: 404,
    costs: { ...OPEN_ABSENT, digests: 2, redis: { evalsha: 1 } },
  },
  {
    name: 'a track that has been deleted under its listener',
    prepare: async (player) => {
      await player.listen();
      rmSync(join(library, `${player.id}.wav`));
    },
    act: (player) => player.seek(),
    status: 404,
    costs: {
      ...OPEN_ABSENT, // by the lane, which leaves the answer to the app
      stats: 2, // of the folder, which has changed, and of the library
      links: 1,
      digests: 2,
      redis: { evalsha: 1 },
    },
  },
  {
    name: 'a token with a wrong signature',
    act: (player) => player.ask({ Authorization: forge(player.headers.Authorization) }),
    status: 401,
    costs: {
      signatures: 1, // each time: only what is valid is remembered
      digests: 3,
      redis: { evalsha: 1 },
    },
    withoutLane: { digests: 2 },
  },
  {
    name: 'no token',
    act: ({ service, path }) => send(service.port, path),
    status: 401,
    costs: { digests: 1, redis: { evalsha: 1 } },
  },
  {
    name: '/health',
    act: ({ service }) => send(service.port, '/health'),
    status: 200,
    costs: { lines: 0, writes: 0 }, // logged at level debug only
  },
  {
    name: '100 seeks of one listener in one moment',
    prepare: (player) => player.listen(),
    act: (player) => player.seekOften(99).then(() => player.seek()),
    status: 206,
    costs: {
      opens: 4, // three alone, and the one that is kept
      stats: 9, // of the folder, of four handles, and after four reads by the kept one
      links: 1,
      reads: 7, // six ranges, and then one block
      digests: 200,
      redis: { evalsha: 12 }, // eleven ahead of their turn, and one for all the others
      lines: 100,
      writes: 9, // 12 lines fill one
    },
  },
  {
    name: '100 seeks of one listener in a second, over the whole track',
    prepare: (player) => player.listen(),
    act: (player) => player.seekOften(99, { pauseMs: 10, step: 1 }).then(() => player.seek(99)),
    status: 206,
    costs: {
      opens: 4,
      // of the folder, four handles, after 16 reads by the kept one, .flac and .wav after 500 ms
      stats: 23,
      links: 1,
      reads: 19, // three ranges alone, twelve by the kept handle, four blocks
      digests: 200,
      redis: { evalsha: 31 }, // eleven ahead of their turn, and 20 a second
      lines: 100,
      writes: 20, // each 50 ms
    },
  },
];

const LISTED = 'first scan of the library is complete';

describe.each([
  ['behind the fast lane', 'true'],
  ['by the app alone', 'false'],
])('calls of a request answered %s', (_, fastLane) => {
  let service: CountedService;

  beforeAll(async () => {
    const socket = join(createTempFolder(), 'redis.sock');
    redis = await startRedis(socket);
    service = await startCountedService({
      AUDIO_FILES_DIR: library,
      REDIS_URL: socket,
      FAST_LANE: fastLane,
      // longer than the suite, by either clock: a new window costs a question
      RATE_LIMIT_WINDOW_MS: '3600000',
      // the catalogue, which is told of no change here, must have nothing to do
      RESCAN_SECONDS: '604800',
      // goes by the real clock, and looks at the connection table when a machine is that slow
      SEND_TIMEOUT_SECONDS: '3600',
    });
    await service.settle(AHEAD_MS);
    await until(async () => {
      await service.settle(BATCH_MS);
      return service.log.some(({ message }) => message === LISTED);
    }, 'the library is listed');
    // what only the first of a process pays for: scripts that Redis does not know, a parser's thread
    const first = new Player(service);
    await first.listen();
    await first.ask({}, 'GET', '/metadata');
    await first.ask({ Authorization: 'Bearer none' });
  });
  afterAll(async () => {
    await stopServices();
    await stopRedis();
  });

  it.each(scenarios)('$name', async ({ prepare, act, status, costs, withoutLane }) => {
    await service.settle(REST_MS);
    const player = new Player(service);
    await prepare?.(player);
    await service.takeCalls(BATCH_MS);

    const answer = await act(player);
    const calls = await service.takeCalls(BATCH_MS);

    expect(answer.status).toBe(status);
    const changes = fastLane === 'true' ? {} : withoutLane;
    expect(calls).toEqual({ ...NOTHING, ...LOGGED, ...costs, ...changes });
  });

  it('counts Redis commands as Redis itself does', async () => {
    const player = new Player(service);
    await service.takeCalls(REST_MS);
    await redis.client.config('RESETSTAT');
    await player.seekOften(5);
    const { redis: sent } = await service.takeCalls(BATCH_MS);
    const stats = await redis.client.info('commandstats');
    const callsOf = (name: string): number =>
      Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(stats)?.[1]);
    expect(sent).toEqual({ evalsha: callsOf('evalsha') });
    expect(stats).not.toContain('cmdstat_eval:');
  });
});

afterAll(removeTempFolders);

/** The same token but for its signature. */
function forge(credentials: string): string {
  return credentials.replace(/[^.]+$/, 'A'.repeat(43)); // as long as one by HS256
}

/** PCM of 16 bits, stereo, 44.1 kHz. */
function createWave(): Buffer {
  const bytes = patternedBytes(TRACK_BYTES);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(TRACK_BYTES - 8, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(2, 22);
  bytes.writeUInt32LE(44_100, 24);
  bytes.writeUInt32LE(44_100 * 4, 28);
  bytes.writeUInt16LE(4, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(TRACK_BYTES - 44, 40);
  return bytes;
}
