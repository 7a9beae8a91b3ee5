import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { type NewPlayback, type Playbacks } from '../../src/services/playback';
import {
  letTimePass,
  newPlayback,
  PAUSE_MS,
  startReplica,
  type PlaybackReplica,
} from '../support/playback-replica';
import { startRedis, stopRedis, type RedisProcess } from '../support/redis-process';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

const HOUR_MS = 3_600_000;
const ISO_TIME: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

let address: string;
let server: RedisProcess;
let replicas: PlaybackReplica[];

beforeEach(async () => {
  address = join(createTempFolder(), 'redis.sock');
  server = await startRedis(address);
  replicas = [];
});
afterEach(async () => {
  await Promise.all(replicas.map((replica) => replica.close()));
  server.client.disconnect();
  await stopRedis();
});
afterAll(removeTempFolders);

async function start(maxPlaybacks = 0): Promise<Playbacks> {
  const replica = await startReplica(address, maxPlaybacks);
  replicas.push(replica);
  return replica.playbacks;
}

const wait = (ms: number): Promise<void> => letTimePass(server.client, ms);

/** And what this process and Redis had to do by then is done, where the machine held them up. */
async function aSecond(): Promise<void> {
  await delay(1_000);
  await server.client.ping();
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
}

const warningsOf = (): unknown[] => replicas.flatMap(({ warnings }) => warnings);

describe('a playback', () => {
  it('is open on every replica until somebody ends it, and then within a second on none', async () => {
    const [here, there] = [await start(), await start()];
    const playback = newPlayback();
    const { trackId, id } = playback;
    await here.begin(playback, false);
    expect(await Promise.all([here.isOpen(playback), there.isOpen(playback)])).toEqual([
      true,
      true,
    ]);
    expect(await here.end(trackId, id, 'anna')).toBe(true);
    expect(await here.isOpen(playback)).toBe(false);
    await delay(500);
    expect(await there.isOpen(playback)).toBe(false);
    expect(await there.end(trackId, id, 'anna')).toBe(true);
    expect(await there.extend(trackId, id, 'anna')).toBeUndefined();
    expect(warningsOf()).toEqual([]);
  });

  it('cuts its responses on every replica within a second of its end', async () => {
    const [here, there] = [await start(), await start()];
    const playback = newPlayback();
    await here.begin(playback, false);
    const cut = jest.fn<undefined, [string]>();
    here.attend(playback, () => {
      cut('here');
    });
    there.attend(playback, () => {
      cut('there');
    });
    const gone = there.attend(playback, () => {
      cut('gone');
    });
    gone.release();
    await here.end(playback.trackId, playback.id, 'anna');
    expect(cut.mock.calls).toEqual([['here']]);
    await aSecond();
    expect(cut.mock.calls).toEqual([['here'], ['there']]);
    await delay(1_000);
    expect(cut.mock.calls).toEqual([['here'], ['there']]);
  });

  it.each([50, 300])('cuts within a second also what begins %p ms behind its end', async (ms) => {
    const [here, there] = [await start(), await start()];
    const playback = newPlayback();
    await here.begin(playback, false);
    expect(await there.isOpen(playback)).toBe(true);
    const second = aSecond();
    await here.end(playback.trackId, playback.id, 'anna');
    await delay(ms);
    const cut = jest.fn();
    if (await there.isOpen(playback)) there.attend(playback, cut);
    else cut();
    await second;
    expect(cut).toHaveBeenCalledTimes(1);
  });
});

describe('the end of a playback', () => {
  const key = (): Promise<string> => server.client.keys('tuneton:playback:*').then(([k = '']) => k);

  it('moves later by use and by extension, up to a day and the duration after it began', async () => {
    const here = await start();
    const playback = newPlayback();
    const { trackId, id } = playback;
    const beganAt = Date.now();
    await here.begin(playback, false);
    const life = PAUSE_MS + 240_000;
    await wait(life - 60_000);
    const extended = await here.extend(trackId, id, 'anna');
    expect(Math.abs((extended ?? 0) - (Date.now() + life))).toBeLessThan(2_000);
    for (let hours = 4; hours < 24; hours += 4) {
      expect(await here.isOpen(playback)).toBe(true);
      await delay(510); // what was learned is forgotten
      await wait(4 * HOUR_MS);
    }
    const latest = await here.extend(trackId, id, 'anna');
    const passed = life - 60_000 + 20 * HOUR_MS;
    expect(Math.abs((latest ?? 0) - (beganAt + 24 * HOUR_MS + 240_000 - passed))).toBeLessThan(
      5_000,
    );
    await wait((latest ?? 0) - Date.now() + 1);
    expect(await here.isOpen(playback)).toBe(false);
    expect(await here.extend(trackId, id, 'anna')).toBeUndefined();
    expect(warningsOf()).toEqual([]);
  });

  it('is kept as long as it opens anything, and a minute for clocks that differ', async () => {
    const here = await start();
    const playback = newPlayback();
    await here.begin(playback, false);
    const ttl = await server.client.pttl(await key());
    expect(Math.abs(ttl - (PAUSE_MS + 300_000))).toBeLessThan(2_000);
    await here.end(playback.trackId, playback.id, 'anna');
    const revoked = await server.client.pttl(await key());
    expect(Math.abs(revoked - (24 * HOUR_MS + 300_000))).toBeLessThan(2_000);
    expect(await server.client.keys('tuneton:playing:*')).toEqual([]);
  });

  it('is the signed one where Redis has lost the record, which the responses write anew', async () => {
    const [here, there] = [await start(2), await start(2)];
    const playback = newPlayback();
    await here.begin(playback, false);
    const cut = jest.fn();
    there.attend(playback, cut);
    await server.client.flushall();
    expect(await there.isOpen(playback)).toBe(true);
    await until(async () => (await key()) !== '', 'it is written');
    const end = await there.extend(playback.trackId, playback.id, 'anna');
    // the clock of Redis is read in another millisecond than ours
    expect(Math.abs((end ?? 0) - playback.signedEndSeconds * 1000)).toBeLessThan(50);
    expect(cut).not.toHaveBeenCalled();
    await there.begin(newPlayback(), false);
    await expect(here.begin(newPlayback(), false)).rejects.toMatchObject({
      code: 'too_many_playbacks',
    });
  });

  it('is the signed one where Redis has lost it, and that is over', async () => {
    const here = await start();
    const over = { ...newPlayback(), signedEndSeconds: Math.floor(Date.now() / 1000) - 1 };
    expect(await here.isOpen(over)).toBe(false);
    const cut = jest.fn();
    here.attend({ ...newPlayback(), signedEndSeconds: over.signedEndSeconds }, cut);
    await until(() => cut.mock.calls.length === 1, 'it is cut');
  });

  it('is remembered by whoever brought it about, also when Redis has lost the record', async () => {
    const [here, there] = [await start(), await start()];
    const playback = newPlayback();
    await here.begin(playback, false);
    // this replica has never seen the grant
    expect(await there.end(playback.trackId, playback.id, 'anna')).toBe(true);
    await server.client.flushall();
    expect(await there.isOpen(playback)).toBe(false);
  });

  it('is nobody else’s to move or to bring about', async () => {
    const [here, there] = [await start(), await start()];
    const playback = newPlayback('anna');
    const { trackId, id } = playback;
    await here.begin(playback, false);
    for (const replica of [here, there]) {
      expect(await replica.extend(trackId, id, 'otto')).toBeUndefined();
      expect(await replica.end(trackId, id, 'otto')).toBe(false);
      expect(await replica.end('another.mp3', id, 'anna')).toBe(false);
      expect(
        await replica.report(trackId, id, 'otto', { positionSeconds: 0, state: 'playing' }),
      ).toBeUndefined();
      expect(await replica.isOpen(playback)).toBe(true);
    }
  });
});

describe('the cap', () => {
  const refusal = (playbacks: Playbacks, subject = 'anna'): Promise<unknown> =>
    playbacks.begin(newPlayback(subject), false).then(
      () => undefined,
      (error: unknown) => error,
    );
  const isFull = async (playbacks: Playbacks): Promise<boolean> =>
    (await refusal(playbacks)) !== undefined;

  it('lets exactly as many through as it says, however they come', async () => {
    const [here, there] = [await start(3), await start(3)];
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) =>
        (i % 2 ? here : there).begin(newPlayback('anna', `${i}`), false),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(warningsOf()).toEqual([]);
    await wait(31_000);
    await here.begin(newPlayback(), false);
  });

  it('names what is in the way, the oldest first', async () => {
    const here = await start(2);
    const [first, second] = [newPlayback('anna', 'a b.mp3'), newPlayback('anna', 'ü.mp3')];
    await here.begin(first, false);
    await wait(5_000);
    await here.begin(second, false);
    expect(await refusal(here)).toMatchObject({
      code: 'too_many_playbacks',
      details: {
        playbacks: [
          { id: first.id, trackId: 'a b.mp3', startedAt: ISO_TIME, lastActiveAt: ISO_TIME },
          { id: second.id, trackId: 'ü.mp3', startedAt: ISO_TIME, lastActiveAt: ISO_TIME },
        ],
      },
    });
    expect(await refusal(here, 'otto')).toBeUndefined();
  });

  it('ends the oldest for a takeover, on every replica', async () => {
    const [here, there] = [await start(2), await start(2)];
    const [first, second, third] = [newPlayback(), newPlayback(), newPlayback()];
    await here.begin(first, false);
    const cut = jest.fn();
    here.attend(first, cut);
    await wait(1_000);
    await here.begin(second, false);
    await there.begin(third, true);
    expect(await there.isOpen(first)).toBe(false);
    expect([await there.isOpen(second), await there.isOpen(third)]).toEqual([true, true]);
    await until(() => cut.mock.calls.length === 1, 'it is cut');
    expect(await isFull(here)).toBe(true);
  });

  it('never refuses a playback that has begun', async () => {
    const here = await start(1);
    const [first, second] = [newPlayback(), newPlayback()];
    await here.begin(first, false);
    await wait(31_000);
    await here.begin(second, false);
    await delay(510);
    expect(await here.isOpen(first)).toBe(true);
    // both count now: two would have to go for one to begin
    await here.begin(newPlayback(), true);
    await delay(510);
    expect(await here.isOpen(first)).toBe(false);
    expect(await here.isOpen(second)).toBe(false);
  });

  it('counts a playback for 30 s after it began, and for 30 s after a request', async () => {
    const here = await start(1);
    const playback = newPlayback();
    await here.begin(playback, false);
    await wait(29_000);
    expect(await isFull(here)).toBe(true);
    expect(await here.isOpen(playback)).toBe(true);
    await wait(29_000);
    expect(await isFull(here)).toBe(true);
    await wait(1_500);
    expect(await isFull(here)).toBe(false);
  });

  it('counts a playback while a response is open and for 30 s more', async () => {
    const [here, there] = [await start(1), await start(1)];
    const playback = newPlayback();
    await here.begin(playback, false);
    const attendance = here.attend(playback, jest.fn());
    for (let i = 0; i < 2; i += 1) {
      // both together are longer than 30 s, after which it would not count
      await wait(22_000);
      await delay(7_000); // renewed after 5 s, or somewhat later
      expect(await isFull(there)).toBe(true);
    }
    attendance.release();
    await delay(1_000);
    await wait(28_500);
    expect(await isFull(there)).toBe(true);
    await wait(2_000);
    expect(await isFull(there)).toBe(false);
  });

  it.each([
    ['playing', 89_000, 90_500],
    ['paused', 29_000, 30_500],
  ] as const)(
    'counts a playback that is %s for a while after the report',
    async (state, in_, out) => {
      const here = await start(1);
      const { trackId, id, ...rest } = newPlayback();
      await here.begin({ trackId, id, ...rest }, false);
      await wait(20_000);
      await here.report(trackId, id, 'anna', { positionSeconds: 20, state });
      await wait(in_);
      expect(await isFull(here)).toBe(true);
      await wait(out - in_);
      expect(await isFull(here)).toBe(false);
    },
  );

  it('counts a playback no more that says it has stopped, until it goes on', async () => {
    const here = await start(1);
    const playback = newPlayback();
    const { trackId, id } = playback;
    await here.begin(playback, false);
    const attendance = here.attend(playback, jest.fn());
    attendance.release();
    await here.report(trackId, id, 'anna', { positionSeconds: 20, state: 'stopped' });
    await delay(1_000); // what was closed is noted
    const next = newPlayback();
    await here.begin(next, false);
    await here.end(next.trackId, next.id, 'anna');
    expect(await here.isOpen(playback)).toBe(true);
    expect(await isFull(here)).toBe(true);
  });

  it('counts a playback that goes on within the time for which nobody asks again', async () => {
    const here = await start(1);
    const playback = newPlayback();
    await here.begin(playback, false);
    expect(await here.isOpen(playback)).toBe(true);
    await here.report(playback.trackId, playback.id, 'anna', {
      positionSeconds: 20,
      state: 'stopped',
    });
    expect(await here.isOpen(playback)).toBe(true);
    expect(await isFull(here)).toBe(true);
  });

  it('counts a playback that says it has stopped and has a response open', async () => {
    const here = await start(1);
    const playback = newPlayback();
    await here.begin(playback, false);
    here.attend(playback, jest.fn());
    await here.report(playback.trackId, playback.id, 'anna', {
      positionSeconds: 20,
      state: 'stopped',
    });
    await delay(8_000); // renewed after 5 s, or somewhat later, for 10 s
    expect(await isFull(here)).toBe(true);
  });

  it('counts what is ended no more', async () => {
    const here = await start(1);
    const playback = newPlayback();
    await here.begin(playback, false);
    await here.end(playback.trackId, playback.id, 'anna');
    expect(await isFull(here)).toBe(false);
  });
});

describe('what attending costs', () => {
  it('is two commands at a time for 1,000 playbacks, and nothing when they are over', async () => {
    const here = await start(1);
    const playbacks = Array.from({ length: 1_000 }, (_, i) => newPlayback(`subject ${i}`));
    await Promise.all(playbacks.map((playback) => here.begin(playback, false)));
    const attendances = playbacks.map((playback) => here.attend(playback, jest.fn()));
    const scriptsRun = async (): Promise<number> => {
      const stats = await server.client.info('commandstats');
      const calls = [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)];
      return calls.reduce((sum, [, count]) => sum + Number(count), 0);
    };
    await delay(900); // the script is known from now on
    await server.client.config('RESETSTAT');
    await delay(8_000);
    const run = await scriptsRun();
    expect(run).toBeGreaterThanOrEqual(2 * 8);
    expect(run).toBeLessThanOrEqual(2 * 13);
    for (const attendance of attendances) attendance.release();
    await delay(1_700);
    await server.client.config('RESETSTAT');
    await delay(1_700);
    expect(await scriptsRun()).toBe(0);
    expect(warningsOf()).toEqual([]);
  });
});

describe('when Redis goes and comes back', () => {
  const kill = async (): Promise<void> => {
    await server.signal('SIGKILL');
    await until(() => replicas.every(({ redis }) => !redis.isUp()), 'redis is missed');
  };
  const restart = async (): Promise<void> => {
    server = await startRedis(address);
    await until(() => replicas.every(({ redis }) => redis.isUp()), 'redis is in use again');
  };

  it('goes on with what each replica knows, and then shares it again', async () => {
    const [here, there] = [await start(1), await start(1)];
    const playback = newPlayback();
    const { trackId, id } = playback;
    await here.begin(playback, false);
    const cut = jest.fn();
    there.attend(playback, cut);
    await kill();
    expect([await here.isOpen(playback), await there.isOpen(playback)]).toEqual([true, true]);
    await expect(here.begin(newPlayback(), false)).rejects.toMatchObject({
      code: 'too_many_playbacks',
    });
    expect(await here.end(trackId, id, 'anna')).toBe(true);
    expect([await here.isOpen(playback), await there.isOpen(playback)]).toEqual([false, true]);
    expect(cut).not.toHaveBeenCalled();

    await restart();
    await until(() => cut.mock.calls.length === 1, 'the other has heard of the end');
    expect(await there.isOpen(playback)).toBe(false);
    expect(warningsOf()).toEqual([]);
  });

  it('lets a playback that began meanwhile be extended and ended on every replica', async () => {
    const [here, there] = [await start(), await start()];
    await kill();
    const playback = newPlayback();
    const { trackId, id } = playback;
    await here.begin(playback, false);
    await restart();
    expect(await there.isOpen(playback)).toBe(true);
    const end = await here.extend(trackId, id, 'anna');
    expect(Math.abs((end ?? 0) - playback.signedEndSeconds * 1000)).toBeLessThan(2_000);
    expect(await there.end(trackId, id, 'anna')).toBe(true);
    await delay(510);
    expect(await here.isOpen(playback)).toBe(false);
  });

  /** A playback that was used until its signed end was over; Redis has moved the end since. */
  const outlived = async (): Promise<NewPlayback> => {
    const playback = { ...newPlayback(), signedEndSeconds: Math.ceil(Date.now() / 1000) + 1 };
    for (const { playbacks } of replicas) await playbacks.begin(playback, false);
    expect(
      await replicas[0]?.playbacks.extend(playback.trackId, playback.id, 'anna'),
    ).toBeDefined();
    await delay(playback.signedEndSeconds * 1000 - Date.now() + 510);
    return playback;
  };
  const freeze = async (): Promise<void> => {
    await server.signal('SIGSTOP');
    // only who asks finds out
    for (const { playbacks } of replicas) await playbacks.isOpen(newPlayback());
    await until(() => replicas.every(({ redis }) => !redis.isUp()), 'redis is missed');
  };
  const goOn = async (): Promise<void> => {
    await server.signal('SIGCONT');
    await until(() => replicas.every(({ redis }) => redis.isUp()), 'redis is in use again');
  };

  it('cuts what is beyond its signed end meanwhile, and opens it again', async () => {
    const here = await start();
    const playback = await outlived();
    expect(await here.isOpen(playback)).toBe(true);
    const cut = jest.fn();
    here.attend(playback, cut);
    await freeze();
    await until(() => cut.mock.calls.length === 1, 'it is cut');
    expect(await here.isOpen(playback)).toBe(false);
    await goOn();
    expect(await here.isOpen(playback)).toBe(true);
  });

  it('tells the others also of the end of what is beyond its signed end', async () => {
    const [here, there] = [await start(), await start()];
    const playback = await outlived();
    await freeze();
    expect(await here.end(playback.trackId, playback.id, 'anna')).toBe(true);
    await delay(1_000);
    await goOn();
    await until(async () => !(await there.isOpen(playback)), 'the other has heard of the end');
  });

  it('opens nothing for longer, nor waits, while Redis hangs', async () => {
    const here = await start();
    const playback = newPlayback();
    await here.begin(playback, false);
    await server.signal('SIGSTOP');
    await delay(510);
    const askedAt = performance.now();
    expect(await here.isOpen(playback)).toBe(true);
    expect(await here.end(playback.trackId, playback.id, 'anna')).toBe(true);
    expect(await here.isOpen(playback)).toBe(false);
    expect(performance.now() - askedAt).toBeLessThan(1_000);
    await server.signal('SIGCONT');
  });
});
