import { noRedis } from '../../../src/adapters/redis';
import { type NewPlayback } from '../../../src/services/playback';
import { createPlaybacks } from '../../../src/services/playbacks';

const PAUSE_MS = 14_400_000;
const TRACK = 'song.mp3';

let nowMs: number;
let ids: number;
let playbacks: ReturnType<typeof createPlaybacks>;
let warnings: unknown[];

function start(maxPlaybacks: number): void {
  playbacks = createPlaybacks({
    redis: noRedis,
    maxPlaybacks,
    pauseMs: PAUSE_MS,
    stream: 'plays',
    warn: (...warning) => warnings.push(warning),
    now: () => nowMs,
  });
}

async function begin({ subject = 'anna', takeover = false } = {}): Promise<NewPlayback> {
  ids += 1;
  const playback = {
    id: `${ids}`.padStart(22, 'A'),
    subject,
    trackId: TRACK,
    durationSeconds: 240,
    signedEndSeconds: (nowMs + PAUSE_MS) / 1000 + 240,
  };
  await playbacks.begin(playback, takeover);
  return playback;
}

/** Says what a player does of a playback; whether it was taken and counted. */
function report(
  { id, subject }: NewPlayback,
  state: 'playing' | 'paused' | 'stopped',
): Promise<unknown> {
  return playbacks.report(TRACK, id, subject, { positionSeconds: 1, state });
}

const REFUSED = { code: 'too_many_playbacks' };

beforeEach(() => {
  nowMs = 1_700_000_000_000;
  ids = 0;
  warnings = [];
  start(0);
});
afterEach(() => {
  playbacks.close();
  expect(warnings).toEqual([]);
});

describe('createPlaybacks() without Redis', () => {
  it('keeps to the signed end, which nothing moves', async () => {
    const playback = await begin();
    const { id, signedEndSeconds } = playback;
    nowMs = signedEndSeconds * 1000 - 1;
    expect(await playbacks.isOpen(playback)).toBe(true);
    expect(await playbacks.extend(TRACK, id, 'anna')).toBe(signedEndSeconds * 1000);
    expect(await report(playback, 'playing')).toEqual({
      endsAtMs: signedEndSeconds * 1000,
      isCounted: false,
    });
    nowMs += 1;
    expect(await playbacks.isOpen(playback)).toBe(false);
    expect(await playbacks.extend(TRACK, id, 'anna')).toBeUndefined();
    expect(await report(playback, 'playing')).toBeUndefined();
  });

  it('opens what another process has given out, and knows it from then on', async () => {
    const playback = await begin();
    start(0);
    expect(await playbacks.extend(TRACK, playback.id, 'anna')).toBeUndefined();
    expect(await playbacks.end(TRACK, playback.id, 'anna')).toBe(false);
    expect(await playbacks.isOpen(playback)).toBe(true);
    expect(await playbacks.end(TRACK, playback.id, 'anna')).toBe(true);
    expect(await playbacks.isOpen(playback)).toBe(false);
  });

  it('revokes, once and for all, and cuts what runs', async () => {
    const playback = await begin();
    const cut = jest.fn();
    playbacks.attend(playback, cut);
    playbacks.attend(playback, cut);
    playbacks.attend(playback, cut).release();
    expect(await playbacks.end(TRACK, playback.id, 'anna')).toBe(true);
    expect(cut).toHaveBeenCalledTimes(2);
    expect(await playbacks.end(TRACK, playback.id, 'anna')).toBe(true);
    expect(cut).toHaveBeenCalledTimes(2);
    expect(await playbacks.isOpen(playback)).toBe(false);
    expect(await report(playback, 'playing')).toBeUndefined();
  });

  it('cuts what begins at the moment of the end', async () => {
    const playback = await begin();
    const opening = playbacks.isOpen(playback);
    await playbacks.end(TRACK, playback.id, 'anna');
    // opened before the end, and noted behind it
    expect(await opening).toBe(true);
    const cut = jest.fn();
    playbacks.attend(playback, cut).release();
    expect(cut).toHaveBeenCalledTimes(1);
  });

  it('is told nothing by another subject', async () => {
    const playback = await begin();
    expect(await playbacks.end(TRACK, playback.id, 'otto')).toBe(false);
    expect(await playbacks.extend(TRACK, playback.id, 'otto')).toBeUndefined();
    expect(await report({ ...playback, subject: 'otto' }, 'playing')).toBeUndefined();
    expect(await playbacks.isOpen(playback)).toBe(true);
  });
});

describe('the cap without Redis', () => {
  beforeEach(() => {
    start(2);
  });

  it('refuses the one too many and names the others, the oldest first', async () => {
    const first = await begin();
    nowMs += 1_000;
    const second = await begin();
    await expect(begin()).rejects.toMatchObject({
      ...REFUSED,
      details: {
        playbacks: [
          {
            id: first.id,
            trackId: TRACK,
            startedAt: '2023-11-14T22:13:20.000Z',
            lastActiveAt: '2023-11-14T22:13:20.000Z',
          },
          { id: second.id, startedAt: '2023-11-14T22:13:21.000Z' },
        ],
      },
    });
    await begin({ subject: 'otto' });
  });

  it('ends the oldest for a takeover', async () => {
    const first = await begin();
    nowMs += 1;
    const second = await begin();
    nowMs += 1;
    const third = await begin({ takeover: true });
    expect(
      await Promise.all([first, second, third].map((grant) => playbacks.isOpen(grant))),
    ).toEqual([false, true, true]);
  });

  it.each([
    ['began', 30_000, () => Promise.resolve()],
    ['was asked for', 30_000, (playback: NewPlayback) => playbacks.isOpen(playback)],
    ['was reported to play', 90_000, (playback: NewPlayback) => report(playback, 'playing')],
    ['was reported to pause', 30_000, (playback: NewPlayback) => report(playback, 'paused')],
    ['was reported to have stopped', 0, (playback: NewPlayback) => report(playback, 'stopped')],
  ] as const)('counts a playback that %s for %p ms', async (_what, ms, use) => {
    start(1);
    const playback = await begin();
    await use(playback);
    if (ms > 0) {
      nowMs += ms - 1;
      await expect(begin()).rejects.toMatchObject(REFUSED);
      nowMs += 1;
    }
    await begin();
  });

  it('counts a playback while a response is open and for 30 s more', async () => {
    start(1);
    const playback = await begin();
    const attendance = playbacks.attend(playback, jest.fn());
    nowMs += 3_600_000;
    await expect(begin()).rejects.toMatchObject(REFUSED);
    await report(playback, 'stopped');
    await expect(begin()).rejects.toMatchObject(REFUSED);
    await report(playback, 'paused');
    attendance.release();
    nowMs += 29_999;
    await expect(begin()).rejects.toMatchObject(REFUSED);
    nowMs += 1;
    await begin();
  });
});
