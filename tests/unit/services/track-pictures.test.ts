import { TagReadingFailed } from '../../../src/adapters/tag-reader';
import { identifyImage } from '../../../src/adapters/image-type';
import { AppError } from '../../../src/errors';
import { createTrackPictures, type TrackPictures } from '../../../src/services/track-pictures';
import { type SelectedTrack } from '../../../src/services/track-source';
import { MemoryStore } from '../../support/memory-storage';

const PNG = Uint8Array.from(Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'));
const GIF = Buffer.from('GIF89a and what follows');

interface Stage {
  readonly pictures: TrackPictures;
  readonly store: MemoryStore;
  /** what the next reads of tags give */
  readonly tags: (Uint8Array<ArrayBuffer> | Error | undefined)[];
  readonly select: (tag?: string) => Promise<SelectedTrack>;
}

/** A library of one track, with a picture beside it where `beside` is given. */
function setUp(beside?: () => Buffer): Stage {
  const store = new MemoryStore({ song: { bytes: Buffer.alloc(100, 1) } });
  const tags: Stage['tags'] = [];
  const readPicture = (): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    if (tags.length === 0) throw new Error('read once too often');
    const next = tags.shift();
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  };
  return {
    pictures: createTrackPictures({
      tagReader: { readPicture },
      images: { identify: identifyImage },
    }),
    store,
    tags,
    async select(entityTag = '"2s-1"') {
      const track = await store.open('song');
      const openBeside: SelectedTrack['track']['openBeside'] = () => {
        const bytes = beside?.();
        if (!bytes) return Promise.resolve(undefined);
        store.tracks.set('beside', { bytes, extension: 'gif', mtimeNs: 1n });
        return store.open('beside');
      };
      return { id: 'song', format: 'mp3', entityTag, track: { ...track, openBeside } };
    },
  };
}

describe('find()', () => {
  it('remembers what the tags have, but not the bytes', async () => {
    const { pictures, tags, select } = setUp();
    tags.push(PNG);
    const selected = await select();
    const found = await pictures.find(selected);
    expect(found).toMatchObject({ type: 'png', validator: '2s-1' });
    expect(await pictures.find(selected)).toMatchObject({ type: 'png' });
    tags.push(PNG);
    expect(await found?.read()).toBe(PNG);
  });

  it('reads the tags of a track without a picture once for each state', async () => {
    const { pictures, tags, select } = setUp();
    tags.push(undefined);
    const selected = await select();
    expect(await pictures.find(selected)).toBeUndefined();
    expect(await pictures.find(selected)).toBeUndefined();
    tags.push(PNG);
    expect(await pictures.find(await select('"2s-2"'))).toMatchObject({ validator: '2s-2' });
  });

  it.each(['timeout', 'crashed'] as const)(
    'takes a track that the parser cannot cope with for one without, this time: %s',
    async (reason) => {
      const { pictures, tags, select } = setUp();
      tags.push(new TagReadingFailed(reason), PNG);
      const selected = await select();
      expect(await pictures.find(selected)).toBeUndefined();
      expect(await pictures.find(selected)).toMatchObject({ type: 'png' });
    },
  );

  it.each([
    ['track_unavailable', new TagReadingFailed('unreadable')],
    ['track_unavailable', new TagReadingFailed('closed')],
    ['track_unavailable', new Error('EIO')],
    ['overloaded', new AppError('overloaded', 'too many')],
  ])('fails with %s when it cannot tell', async (code, error) => {
    const { pictures, tags, select } = setUp(() => GIF);
    tags.push(error);
    await expect(pictures.find(await select())).rejects.toMatchObject({ code });
  });

  it('closes what it opens beside the track', async () => {
    const { pictures, tags, store, select } = setUp(() => GIF);
    tags.push(undefined);
    const found = await pictures.find(await select());
    expect(found).toMatchObject({ type: 'gif', validator: '2s-1.n-1' });
    expect(Buffer.from((await found?.read()) ?? [])).toEqual(GIF);
    expect([store.opened, store.openCount]).toEqual([3, 1]);
  });

  it('never reads another picture than it found', async () => {
    let bytes = GIF;
    const { pictures, tags, store, select } = setUp(() => bytes);
    tags.push(undefined);
    const found = await pictures.find(await select());
    bytes = Buffer.concat([GIF, GIF]);
    await expect(found?.read()).rejects.toMatchObject({ code: 'track_unavailable' });
    expect(store.openCount).toBe(1);
  });

  it('has nothing to say of an empty track', async () => {
    const { pictures, store, select } = setUp();
    store.tracks.set('song', { bytes: Buffer.alloc(0) });
    expect(await pictures.find(await select())).toBeUndefined();
  });
});
