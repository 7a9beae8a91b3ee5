import { join } from 'node:path';
import { type NewPlayback, type PlaybackState } from '../../src/services/playback';
import {
  letTimePass,
  newPlayback,
  PLAYS_STREAM,
  startReplica,
  type PlaybackReplica,
} from '../support/playback-replica';
import { startRedis, stopRedis, type RedisProcess } from '../support/redis-process';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

let address: string;
let server: RedisProcess;
let here: PlaybackReplica;
let there: PlaybackReplica;

beforeEach(async () => {
  address = join(createTempFolder(), 'redis.sock');
  server = await startRedis(address);
  here = await startReplica(address);
  there = await startReplica(address);
});
afterEach(async () => {
  await Promise.all([here.close(), there.close()]);
  server.client.disconnect();
  await stopRedis();
});
afterAll(removeTempFolders);

const wait = (ms: number): Promise<void> => letTimePass(server.client, ms);

async function begin(durationSeconds: number | null = 240): Promise<NewPlayback> {
  const playback = { ...newPlayback('anna', 'Käse & Brot.mp3'), durationSeconds };
  await here.playbacks.begin(playback, false);
  return playback;
}

/** @returns whether the play is counted by now */
async function report(
  { trackId, id, subject }: NewPlayback,
  positionSeconds: number,
  state: PlaybackState = 'playing',
  replica = here,
): Promise<boolean | undefined> {
  const outcome = await replica.playbacks.report(trackId, id, subject, { positionSeconds, state });
  return outcome?.isCounted;
}

async function eventsOf(): Promise<Record<string, string>[]> {
  const entries = await server.client.xrange(PLAYS_STREAM, '-', '+');
  return entries.map(([, values]) => {
    const event: Record<string, string> = {};
    for (let i = 0; i < values.length; i += 2) event[String(values[i])] = String(values[i + 1]);
    return event;
  });
}

/** A step of a player: how long it has been since the last, and what it reports. */
type Step = readonly [waitSeconds: number, positionSeconds: number, state?: PlaybackState];

async function play(playback: NewPlayback, steps: readonly Step[]): Promise<boolean[]> {
  const counted: boolean[] = [];
  for (const [seconds, position, state] of steps) {
    await wait(seconds * 1000);
    counted.push((await report(playback, position, state)) === true);
  }
  return counted;
}

describe('a play', () => {
  it('is an event in the stream after 30 s of listening, once', async () => {
    const playback = await begin();
    const steps: Step[] = [0, 10, 20, 30, 40, 50].map((at) => [at === 0 ? 0 : 10, at]);
    expect(await play(playback, steps)).toEqual([false, false, false, true, true, true]);
    const events = await eventsOf();
    expect(events).toHaveLength(1);
    const [{ startedAtMs, countedAtMs, listenedMs, ...event } = {}] = events;
    expect(event).toEqual({
      version: '1',
      playbackId: playback.id,
      trackId: 'Käse & Brot.mp3',
      subject: 'anna',
      positionMs: '30000',
      durationMs: '240000',
    });
    expect(Number(listenedMs)).toBe(30_000);
    expect(Number(countedAtMs) - Number(startedAtMs)).toBeGreaterThanOrEqual(30_000);
    expect(Math.abs(Date.now() - Number(countedAtMs))).toBeLessThan(10_000);
    expect(here.warnings).toEqual([]);
  });

  it('is counted once whatever replica hears of it, however often at once', async () => {
    const playback = await begin();
    await report(playback, 0);
    await wait(31_000);
    const counted = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        report(playback, 31, 'playing', i % 2 === 0 ? here : there),
      ),
    );
    expect(new Set(counted)).toEqual(new Set([true]));
    expect(await eventsOf()).toHaveLength(1);
  });

  it('is told once for each playback, not for each track', async () => {
    for (let i = 0; i < 2; i += 1) await play(await begin(), [[0, 0], [30, 30]]); // prettier-ignore
    expect(await eventsOf()).toHaveLength(2);
  });

  it.each<[string, number | null, boolean, Step[]]>([
    ['half of a short track', 20, true, [[0, 0], [10, 10]]], // prettier-ignore
    ['less than half of it', 20, false, [[0, 0], [7, 7]]], // prettier-ignore
    ['30 s of a track of unknown length', null, true, [[0, 0], [30, 30]]], // prettier-ignore
    ['20 s of it', null, false, [[0, 0], [20, 20]]], // prettier-ignore
    ['the whole track, said only at its end', 240, true, [[0, 0], [240, 240, 'stopped']]], // prettier-ignore
    ['half a minute in pieces', 240, true, [[0, 0], [16, 16, 'paused'], [600, 16], [15, 31, 'paused']]], // prettier-ignore
    ['a track that is paused while time goes by', 240, false, [[0, 0], [5, 5, 'paused'], [60, 5], [5, 10]]], // prettier-ignore
    ['a way forward while paused', 240, false, [[0, 0, 'paused'], [60, 60, 'paused'], [1, 61]]], // prettier-ignore
    ['a seek forward', 240, false, [[0, 0], [5, 200], [5, 205]]], // prettier-ignore
    ['a seek back', 240, false, [[0, 200], [5, 10], [5, 15]]], // prettier-ignore
    ['a seek back, then half a minute', 240, true, [[0, 200], [5, 10], [30, 40]]], // prettier-ignore
    ['many reports at once', 240, false, Array.from({ length: 50 }, (_, i): Step => [0, i])], // prettier-ignore
    ['two minutes at double speed', 240, true, [[0, 0], [15, 30], [15, 60]]], // prettier-ignore
    ['15 s at double speed', 240, false, [[0, 0], [15, 30]]], // prettier-ignore
    ['a minute at half speed', 240, true, [[0, 0], [30, 15], [30, 30]]], // prettier-ignore
    ['reports that come late now and then', 240, true, [[0, 0], [10.9, 10], [9.1, 20], [10, 30]]], // prettier-ignore
    ['a report that was heard of twice', 240, false, [[0, 0], [20, 20], [0, 20], [0, 20]]], // prettier-ignore
    ['one report alone', 240, false, [[0, 100]]], // prettier-ignore
    ['a stalled player', 240, false, [[0, 0], [60, 2], [60, 4]]], // prettier-ignore
    ['a stalled player that seeks then', 240, false, [[0, 0], [60, 2], [1, 62]]], // prettier-ignore
  ])('of %s (%p s long): %p', async (_what, durationSeconds, isCounted, steps) => {
    const counted = await play(await begin(durationSeconds), steps);
    expect(counted.at(-1)).toBe(isCounted);
    expect(await eventsOf()).toHaveLength(isCounted ? 1 : 0);
  });

  it('waits until the stream can take it, and says so to the operator', async () => {
    await server.client.set(PLAYS_STREAM, 'something else');
    const playback = await begin();
    expect(await play(playback, [[0, 0], [30, 30]])).toEqual([false, false]); // prettier-ignore
    expect(here.warnings).toEqual([expect.stringMatching(/WRONGTYPE/)]);
    await server.client.del(PLAYS_STREAM);
    expect(await play(playback, [[1, 31]])).toEqual([true]); // prettier-ignore
    expect(await eventsOf()).toHaveLength(1);
  });

  it('is not counted while Redis is away, and is when it is back and the player goes on', async () => {
    const playback = await begin();
    await report(playback, 0);
    await wait(20_000);
    await server.signal('SIGKILL');
    await until(() => !here.redis.isUp(), 'redis is missed');
    expect(await report(playback, 20)).toBe(false);
    server = await startRedis(address);
    await until(() => here.redis.isUp(), 'redis is in use again');
    expect(await play(playback, [[0, 30], [29, 59], [1, 60]])).toEqual([false, false, true]); // prettier-ignore
    expect(await eventsOf()).toHaveLength(1);
    expect(here.warnings).toEqual([]);
  });

  it('is not heard of once the playback has ended', async () => {
    const playback = await begin();
    await there.playbacks.end(playback.trackId, playback.id, 'anna');
    expect(await report(playback, 0)).toBeUndefined();
  });

  it('moves the end, as all use does', async () => {
    const playback = await begin();
    await wait(60_000);
    const { trackId, id } = playback;
    const outcome = await here.playbacks.report(trackId, id, 'anna', {
      positionSeconds: 0,
      state: 'paused',
    });
    const endMs = outcome?.endsAtMs ?? 0;
    expect(Math.abs(endMs - playback.signedEndSeconds * 1000)).toBeLessThan(2_000);
  });

  it('leaves a stream that is bounded', async () => {
    const pipeline = server.client.pipeline();
    for (let i = 0; i < 100_300; i += 1) pipeline.xadd(PLAYS_STREAM, '*', 'version', '1');
    await pipeline.exec();
    await play(await begin(), [[0, 0], [30, 30]]); // prettier-ignore
    // Redis drops whole nodes of 100 entries
    const length = await server.client.xlen(PLAYS_STREAM);
    expect(length).toBeGreaterThanOrEqual(100_000);
    expect(length).toBeLessThan(100_200);
  });
});
