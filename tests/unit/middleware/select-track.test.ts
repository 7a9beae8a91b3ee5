import { EventEmitter } from 'node:events';
import { type Request, type Response } from 'express';
import { createSelectTrack, plannedDelivery } from '../../../src/middleware/select-track';
import { type TrackSource } from '../../../src/services/track-source';
import { type ResponsePlan } from '../../../src/streaming/response-plan';

/**
 * A track that was selected for a request, and how often it was closed.
 *
 * @param hasLeft the listener, while the track was opened
 */
async function selectTrack({ hasLeft = false } = {}) {
  let closed = 0;
  const track = {
    close() {
      closed += 1;
      return Promise.resolve();
    },
  };
  const leaving = new AbortController();
  const socket = Object.assign(new EventEmitter(), { destroyed: false });
  const leave = (): void => {
    leaving.abort();
    socket.destroyed = true;
    socket.emit('close');
  };
  const select = (): Promise<unknown> => {
    if (hasLeft) leave();
    return Promise.resolve({ track });
  };
  const derive = jest.fn(() => Promise.reject(new Error('the file is closed')));
  const selectTrackOf = createSelectTrack({
    tracks: { select } as unknown as TrackSource,
    ...(hasLeft ? { derive } : {}),
    plan: () => ({ status: 200 }) as unknown as ResponsePlan,
    createBoundary: () => '',
    now: () => 0,
  });
  const context = { signal: leaving.signal };
  const req = { method: 'GET', socket, params: { trackId: 'a' }, rawHeaders: [], headers: {} };
  const request = { ...req, context, originalUrl: '/' } as unknown as Request;
  const response = Object.assign(new EventEmitter(), { destroyed: false });
  await new Promise<void>((resolve) => {
    void selectTrackOf(request, response as unknown as Response, () => {
      resolve();
    });
  });
  return {
    request,
    derive,
    leaving: leaving.signal,
    leave,
    closed: () => closed,
  };
}

describe('a track that is held until some work is over', () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('is closed when the work has failed and the listener has left, and nothing else happens', async () => {
    const { request, leave, closed } = await selectTrack();
    const delivery = plannedDelivery(request);
    const work = Promise.reject(new Error('failed, and nobody waits for it'));
    // Jest keeps `unhandledRejection` to itself, so look whether the failure is waited for
    const handled = jest.spyOn(work, 'then');
    delivery.holdUntil(work);
    expect(handled.mock.calls).toEqual([[undefined, expect.any(Function)]]);
    await turn();
    expect(closed()).toBe(0);
    leave();
    await turn();
    expect(closed()).toBe(1);
  });

  it('stays open while the work goes on', async () => {
    const { request, leave, closed } = await selectTrack();
    const delivery = plannedDelivery(request);
    let end: () => void = () => undefined;
    delivery.holdUntil(new Promise<void>((resolve) => (end = resolve)));
    leave();
    await turn();
    expect(closed()).toBe(0);
    end();
    await turn();
    expect(closed()).toBe(1);
  });
});

describe('a track that was opened for a listener who has left', () => {
  it('is closed, and nobody reads from it', async () => {
    const { request, leaving, derive, closed } = await selectTrack({ hasLeft: true });
    expect(() => plannedDelivery(request)).toThrow(leaving.reason as Error);
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed()).toBe(1);
    expect(derive).not.toHaveBeenCalled();
  });
});
