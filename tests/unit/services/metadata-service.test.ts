import { Readable } from 'node:stream';
import { TagReadingFailed, type TagReader, type TrackTags } from '../../../src/adapters/tag-reader';
import { AppError } from '../../../src/errors';
import { createMetadataService, trackMetadataSchema } from '../../../src/services/metadata-service';
import { type SelectedTrack } from '../../../src/services/track-source';

const TAGS: TrackTags = {
  text: { title: 'T', artist: 'A', year: 1999, trackNumber: 2 },
  audio: {
    codec: 'mp3',
    isLossless: false,
    container: 'MPEG',
    sampleRateHz: 44_100,
    channels: 2,
    bitsPerSample: null,
    durationSeconds: 10.12345,
    bitRateBps: 127_999,
  },
  replayGain: null,
  pictures: 0,
  pictureBytes: 0,
  problems: [],
};

function select(fileName = '01 Song.mp3', sizeBytes = 1_000_000): SelectedTrack {
  return {
    id: 'Album/01 Song',
    format: 'mp3',
    entityTag: '"abc"',
    track: {
      fileName,
      extension: 'mp3',
      sizeBytes,
      mtimeNs: 1_700_000_000_123_456_789n,
      read: () => Readable.from([]),
      close: () => Promise.resolve(),
    },
  };
}

function describeWith(read: TagReader['read'], selected = select()) {
  return createMetadataService({ tagReader: { read } }).describe(selected);
}

describe('describe()', () => {
  it('answers in the order of the contract', async () => {
    const { metadata, isFinal } = await describeWith(() => Promise.resolve(TAGS));
    expect(isFinal).toBe(true);
    expect(trackMetadataSchema.parse(metadata)).toEqual(metadata);
    expect(Object.entries(metadata)).toEqual([
      ['id', 'Album/01 Song'],
      ['title', 'T'],
      ['artist', 'A'],
      ['album', null],
      ['albumArtist', null],
      ['year', 1999],
      ['genre', null],
      ['trackNumber', 2],
      ['discNumber', null],
      ['duration', 10.123],
      ['sampleCount', 446_444],
      ['bitrate', 128],
      ['format', 'mp3'],
      ['codec', 'mp3'],
      ['container', 'MPEG'],
      ['sampleRate', 44_100],
      ['channels', 2],
      ['bitsPerSample', null],
      ['lossless', false],
      ['size', 1_000_000],
      ['hasArtwork', false],
      ['replayGain', null],
      ['lastModified', '2023-11-14T22:13:20.123Z'],
      ['etag', '"abc"'],
    ]);
  });

  it.each([
    ['01 Song.mp3', '01 Song'],
    ['a.b.flac', 'a.b'],
    ['.mp3', '.mp3'],
    ['\0.mp3', 'Untitled'],
  ])('takes the title from the name of %p', async (fileName, title) => {
    const read = () => Promise.resolve({ ...TAGS, text: {} });
    const { metadata } = await describeWith(read, select(fileName));
    expect(metadata).toMatchObject({ title, artist: 'Unknown Artist' });
  });

  it('derives the bit rate from the size without pictures when none is known', async () => {
    const audio = { ...TAGS.audio, bitRateBps: null, durationSeconds: 10 };
    const tags = { ...TAGS, audio, pictures: 1, pictureBytes: 900_000 };
    const { metadata } = await describeWith(() => Promise.resolve(tags));
    expect(metadata).toMatchObject({ bitrate: 80, hasArtwork: true });
  });

  it('counts no samples by an estimate', async () => {
    const audio = { ...TAGS.audio, isDurationEstimate: true } as const;
    const { metadata } = await describeWith(() => Promise.resolve({ ...TAGS, audio }));
    expect(metadata).toMatchObject({ durationIsEstimate: true, sampleCount: null });
  });

  it('names what could not be read, and is final: the bytes will not change', async () => {
    const audio = { ...TAGS.audio, bitRateBps: null, durationSeconds: null };
    const tags: TrackTags = { ...TAGS, audio, problems: ['tags', 'audio'] };
    const { metadata, isFinal } = await describeWith(() => Promise.resolve(tags));
    expect(isFinal).toBe(true);
    expect(metadata).toMatchObject({
      duration: null,
      bitrate: null,
      warnings: ['Some tags could not be read.', 'The duration could not be determined.'],
    });
  });

  it.each(['timeout', 'crashed', 'unreadable', 'closed'] as const)(
    'answers without the tags, and not finally, when the reader says %s',
    async (reason) => {
      const cause = new Error('/srv/music/secret.mp3: gone');
      const failure = new TagReadingFailed(reason, { cause });
      const { metadata, isFinal } = await describeWith(() => Promise.reject(failure));
      expect(isFinal).toBe(false);
      expect(metadata).toMatchObject({ title: '01 Song', size: 1_000_000, duration: null });
      expect(metadata.warnings).toHaveLength(1);
      expect(JSON.stringify(metadata)).not.toContain('secret');
      expect(trackMetadataSchema.parse(metadata)).toEqual(metadata);
    },
  );

  it.each([new AppError('overloaded', 'too many'), new TypeError('a bug')])(
    'passes %p on',
    async (failure) => {
      await expect(describeWith(() => Promise.reject(failure))).rejects.toBe(failure);
    },
  );

  it('does not read a track of no bytes', async () => {
    const read = () => Promise.reject(new Error('read'));
    const { metadata, isFinal } = await describeWith(read, select('01 Song.mp3', 0));
    expect(isFinal).toBe(true);
    expect(metadata).toMatchObject({ size: 0, warnings: ['The track is empty.'] });
  });
});
