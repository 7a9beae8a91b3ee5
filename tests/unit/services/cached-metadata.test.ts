import { type Redis } from 'ioredis';
import { Readable } from 'node:stream';
import { type RedisGateway, RedisUnavailable } from '../../../src/adapters/redis';
import { createCachedMetadata } from '../../../src/services/cached-metadata';
import {
  createMetadataService,
  type Description,
  type MetadataService,
} from '../../../src/services/metadata-service';
import { type SelectedTrack } from '../../../src/services/track-source';

const awayGateway: Pick<RedisGateway, 'run'> = {
  run: () => Promise.reject(new RedisUnavailable()),
};

function select(title: string): SelectedTrack {
  return {
    id: 'song',
    format: 'mp3',
    entityTag: '"abc"',
    track: {
      fileName: `${title}.mp3`,
      extension: 'mp3',
      sizeBytes: 0,
      mtimeNs: 0n,
      read: () => Readable.from([]),
      close: () => Promise.resolve(),
    },
  };
}

/** Descriptions that end when the test says so, one after the other. */
function createInner() {
  const begun: {
    readonly selected: SelectedTrack;
    readonly end: (outcome: Partial<Description> | Error) => void;
  }[] = [];
  const real = createMetadataService({ tagReader: { read: () => Promise.reject(new Error()) } });
  const inner: MetadataService = {
    describe: (selected) =>
      new Promise((resolve, reject) => {
        const end = (outcome: Partial<Description> | Error): void => {
          if (outcome instanceof Error) reject(outcome);
          else
            void real.describe(selected).then((full) => {
              resolve({ ...full, ...outcome });
            });
        };
        begun.push({ selected, end });
      }),
  };
  return { begun, inner };
}

/** Lets everything happen that needs no more than promises. */
function settleDown(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('createCachedMetadata() without Redis', () => {
  it('describes once for all who ask at the same time, and anew for the next', async () => {
    const { begun, inner } = createInner();
    const cached = createCachedMetadata({ metadata: inner, redis: awayGateway, ttlSeconds: 60 });
    const asked = [1, 2, 3].map((n) => cached.describe(select(`first ${n}`)));
    await settleDown();
    expect(begun).toHaveLength(1);
    begun[0]?.end({});
    const titles = (await Promise.all(asked)).map(({ metadata }) => metadata.title);
    expect(titles).toEqual(['first 1', 'first 1', 'first 1']);
    void cached.describe(select('later'));
    await settleDown();
    expect(begun).toHaveLength(2);
  });

  it.each([
    ['fails', new Error('the first client left')],
    ['is not final', { isFinal: false }],
  ])('lets those who waited try once more together when the first %s', async (_, outcome) => {
    const { begun, inner } = createInner();
    const cached = createCachedMetadata({ metadata: inner, redis: awayGateway, ttlSeconds: 60 });
    const first = cached.describe(select('first'));
    const rest = [2, 3, 4].map((n) => cached.describe(select(`track ${n}`)));
    await settleDown();
    begun[0]?.end(outcome);
    await expect(first.catch((error: unknown) => error)).resolves.toMatchObject(
      outcome instanceof Error ? { message: outcome.message } : outcome,
    );
    await settleDown();
    expect(begun).toHaveLength(2);
    begun[1]?.end({});
    const titles = (await Promise.all(rest)).map(({ metadata }) => metadata.title);
    expect(titles).toEqual(['track 2', 'track 2', 'track 2']);
  });

  it('gives up after the second failure', async () => {
    const { begun, inner } = createInner();
    const cached = createCachedMetadata({ metadata: inner, redis: awayGateway, ttlSeconds: 60 });
    const asked = Promise.allSettled([1, 2, 3].map(() => cached.describe(select('t'))));
    await settleDown();
    begun[0]?.end(new Error('one'));
    await settleDown();
    begun[1]?.end(new Error('two'));
    const reasons = (await asked).map((outcome) =>
      outcome.status === 'rejected' ? (outcome.reason as Error).message : 'fulfilled',
    );
    expect(reasons).toEqual(['one', 'two', 'two']);
    expect(begun).toHaveLength(2);
  });
});

describe('createCachedMetadata() with Redis', () => {
  function createGateway(value = Buffer.alloc(0)) {
    const writes: unknown[][] = [];
    const client = {
      getrangeBuffer: () => Promise.resolve(value),
      set: (...args: unknown[]) => {
        writes.push(args);
        // a Redis that never answers
        return new Promise<never>(() => undefined);
      },
    } as unknown as Redis;
    const redis: Pick<RedisGateway, 'run'> = { run: (command) => command(client) };
    return { redis, writes };
  }

  it('writes what is final with its time to live, and does not wait for it', async () => {
    const { begun, inner } = createInner();
    const { redis, writes } = createGateway();
    const cached = createCachedMetadata({ metadata: inner, redis, ttlSeconds: 60 });
    const asked = cached.describe(select('t'));
    await settleDown();
    begun[0]?.end({});
    const { metadata } = await asked;
    expect(writes).toEqual([
      [expect.stringMatching(/^tuneton:metadata:/), JSON.stringify(metadata), 'EX', 60],
    ]);
  });

  it('never writes what is not final', async () => {
    const { begun, inner } = createInner();
    const { redis, writes } = createGateway();
    const cached = createCachedMetadata({ metadata: inner, redis, ttlSeconds: 60 });
    const asked = cached.describe(select('t'));
    await settleDown();
    begun[0]?.end({ isFinal: false });
    expect((await asked).isFinal).toBe(false);
    expect(writes).toEqual([]);
  });
});
