import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Playbacks } from '../../src/services/playback';
import {
  letTimePass,
  newPlayback,
  startReplica,
  type PlaybackReplica,
} from '../support/playback-replica';
import { startRedis, stopRedis, type RedisProcess } from '../support/redis-process';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

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
    const endedAt = performance.now();
    await until(() => cut.mock.calls.length === 2, 'the other is cut');
    expect(performance.now() - endedAt).toBeLessThan(1_000);
    await delay(1_000);
    expect(cut.mock.calls).toEqual([['here'], ['there']]);
  });
});

describe('the cap', () => {
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
});
