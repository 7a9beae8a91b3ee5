import { EventEmitter } from 'node:events';
import { type Request, type Response } from 'express';
import { createDerivedController } from '../../../src/controllers/derived-controller';
import { createPrepareController } from '../../../src/controllers/prepare-controller';
import { AppError } from '../../../src/errors';
import { type Product } from '../../../src/services/production';
import { type Productions } from '../../../src/services/productions';
import { type ChunkMemory } from '../../../src/streaming/chunk-memory';

/** A request for something that is made of a track, and what was done for it, in its order. */
function setUp(signal: AbortSignal) {
  const done: string[] = [];
  let open: (product: Product) => void = () => undefined;
  const productions = {
    open() {
      done.push('opened');
      return new Promise<Product>((resolve) => (open = resolve));
    },
  } as unknown as Productions;
  const delivery = {
    kind: 'planned',
    plan: { status: 200, fields: {}, segments: [], contentLength: 0 },
    derivation: { content: { key: 'key', produce: () => Promise.resolve() }, isStreamed: true },
    holdUntil() {
      done.push('held');
    },
  };
  const socket = Object.assign(new EventEmitter(), { destroyed: false });
  const req = { method: 'GET', socket, delivery, context: { signal }, principal: { subject: 'a' } };
  const res = new EventEmitter();
  const product: Partial<Product> = {
    whenOver: Promise.resolve(),
    until: () => Promise.reject(new AppError('overloaded', 'no')),
    close() {
      done.push('closed');
    },
  };
  return {
    done,
    productions,
    req: req as unknown as Request,
    res: res as unknown as Response,
    goOn: () => {
      open(product as Product);
    },
  };
}

describe.each([
  [
    'createDerivedController()',
    (productions: Productions) =>
      createDerivedController({ productions, memory: {} as ChunkMemory }),
  ],
  ['createPrepareController()', createPrepareController],
])('%s', (_name, create) => {
  it('holds the track from the moment in which something is to be made of it', async () => {
    const { done, productions, req, res, goOn } = setUp(new AbortController().signal);
    const answered = create(productions)(req, res, () => undefined);
    // a client may leave now: the descriptor must be the track's when ffmpeg gets it
    expect(done).toEqual(['opened', 'held']);
    goOn();
    await expect(answered).rejects.toMatchObject({ code: 'overloaded' });
    res.emit('close');
    await new Promise(setImmediate);
    expect(done).toEqual(['opened', 'held', 'closed']);
  });

  it('makes nothing for a client who has left, whose track is closed', async () => {
    const { done, productions, req, res } = setUp(AbortSignal.abort(new Error('left')));
    await expect(create(productions)(req, res, () => undefined)).rejects.toThrow('left');
    expect(done).toEqual([]);
  });
});
