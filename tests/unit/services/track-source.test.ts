import { PassThrough, Readable } from 'node:stream';
import { parse } from 'content-disposition';
import fc from 'fast-check';
import { AppError } from '../../../src/errors';
import { createTrackSource, describeOriginal } from '../../../src/services/track-source';
import { type OpenedTrack, type TrackStore } from '../../../src/storage/track-store';
import { type Representation } from '../../../src/streaming/representation';
import { MemoryStore, type MemoryTrack } from '../../support/memory-storage';

const MPEG_FRAME = Buffer.of(0xff, 0xfb, 0x90, 0x64);
const FLAC = Buffer.concat([Buffer.from('fLaC'), Buffer.alloc(38)]);
const ADTS = Buffer.concat([Buffer.of(0xff, 0xf1, 0x50, 0x80), Buffer.alloc(20)]);
const WAVE = Buffer.from('RIFF\x24\x08\x00\x00WAVEfmt ');

/** An ID3v2.4 tag with so many bytes of padding. */
function id3(paddingBytes: number, flags = 0): Buffer {
  const size = [21, 14, 7, 0].map((shift) => (paddingBytes >> shift) & 0x7f);
  return Buffer.concat([
    Buffer.from('ID3'),
    Buffer.of(4, 0, flags, ...size),
    Buffer.alloc(paddingBytes),
    Buffer.alloc(flags & 0x10 ? 10 : 0),
  ]);
}

async function describeTrack(track: MemoryTrack, id = 'song'): Promise<Representation> {
  const store = new MemoryStore({ [id]: track });
  const selected = await createTrackSource(store).select(id);
  return describeOriginal(selected);
}

async function mediaTypeOf(bytes: Buffer, extension = 'mp3'): Promise<string> {
  return (await describeTrack({ bytes, extension })).mediaType;
}

async function dispositionOf(fileName: string): Promise<string> {
  const store: TrackStore = {
    open: () => Promise.resolve({ ...emptyTrack, fileName }),
  };
  return describeOriginal(await createTrackSource(store).select('any')).contentDisposition;
}

const emptyTrack: OpenedTrack = {
  fileName: 'song.mp3',
  extension: 'mp3',
  sizeBytes: 0,
  mtimeNs: 0n,
  read: () => Readable.from([]),
  close: () => Promise.resolve(),
};

describe('createTrackSource()', () => {
  it('opens the track once, keeps it open and says what it is', async () => {
    const store = new MemoryStore({ 'Artist/song': { bytes: MPEG_FRAME, extension: 'mp3' } });
    const selected = await createTrackSource(store).select('Artist/song');
    expect(selected).toMatchObject({ id: 'Artist/song', format: 'mp3' });
    expect(store).toMatchObject({ opened: 1, openCount: 1 });
    await selected.track.close();
    expect(store.openCount).toBe(0);
  });

  it.each([
    ['the bytes, not the extension', FLAC, 'mp3', 'audio/flac'],
    ['the bytes, not the extension', MPEG_FRAME, 'wav', 'audio/mpeg'],
    ['the bytes, not the extension', WAVE, 'mp3', 'audio/wav'],
    ['the extension of unknown bytes', Buffer.from('Hello, world!!!!'), 'ogg', 'audio/ogg'],
    ['the extension of no bytes', Buffer.alloc(0), 'flac', 'audio/flac'],
    ['the extension of one byte', Buffer.of(0xff), 'aac', 'audio/aac'],
    ['FLAC behind an ID3 tag', Buffer.concat([id3(100), FLAC]), 'mp3', 'audio/flac'],
    ['FLAC behind an empty ID3 tag', Buffer.concat([id3(0), FLAC]), 'mp3', 'audio/flac'],
    ['FLAC behind a tag with a footer', Buffer.concat([id3(9, 0x10), FLAC]), 'mp3', 'audio/flac'],
    ['FLAC behind a long ID3 tag', Buffer.concat([id3(200_000), FLAC]), 'mp3', 'audio/flac'],
    ['ADTS behind an ID3 tag', Buffer.concat([id3(64), ADTS]), 'mp3', 'audio/aac'],
    ['WAVE behind an ID3 tag', Buffer.concat([id3(64), WAVE]), 'mp3', 'audio/wav'],
    ['MPEG behind an ID3 tag', Buffer.concat([id3(64), MPEG_FRAME]), 'aac', 'audio/mpeg'],
    ['padding behind an ID3 tag', Buffer.concat([id3(64), Buffer.alloc(64)]), 'mp3', 'audio/mpeg'],
    ['nothing behind an ID3 tag', id3(64), 'mp3', 'audio/mpeg'],
    ['a tag that says more than there is', id3(5_000).subarray(0, 100), 'aac', 'audio/aac'],
    ['a tag cut short', Buffer.from('ID3\x04'), 'mp3', 'audio/mpeg'],
  ])('names the media type by %s', async (_what, bytes, extension, expected) => {
    expect(await mediaTypeOf(bytes, extension)).toBe(expected);
  });

  it('passes on that there is no such track', async () => {
    const failure = createTrackSource(new MemoryStore()).select('absent');
    await expect(failure).rejects.toMatchObject({ code: 'track_not_found' });
  });

  it.each([
    ['a failing read', () => new PassThrough().destroy(new Error('EIO'))],
    [
      'a read that throws',
      () => {
        throw new Error('EIO');
      },
    ],
  ])('closes the track after %s, and says that it is unavailable', async (_what, read) => {
    const close = jest.fn(() => Promise.resolve());
    const store: TrackStore = {
      open: () => Promise.resolve({ ...emptyTrack, sizeBytes: 100, read, close }),
    };
    const failure = await createTrackSource(store)
      .select('song')
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AppError);
    expect(failure).toMatchObject({ code: 'track_unavailable', cause: new Error('EIO') });
    expect((failure as AppError).message).not.toMatch(/EIO|song/);
    expect(close).toHaveBeenCalledTimes(1);
  });
});

describe('describeOriginal()', () => {
  it('tells length and time in the units of HTTP', async () => {
    const bytes = Buffer.concat([MPEG_FRAME, Buffer.alloc(96)]);
    const mtimeNs = 1_709_294_400_999_999_999n;
    expect(await describeTrack({ bytes, mtimeNs })).toMatchObject({
      lengthBytes: 100,
      lastModifiedSeconds: 1_709_294_400,
    });
  });

  describe('entity tag', () => {
    const tagOf = async (bytes: Buffer, mtimeNs: bigint): Promise<string> =>
      (await describeTrack({ bytes, mtimeNs })).entityTag;

    it('is strong and well formed (RFC 9110 §8.8.3)', async () => {
      const tag = await tagOf(MPEG_FRAME, 1_709_294_400_123_456_789n);
      expect(tag).toMatch(/^"[\x21\x23-\x7e]+"$/);
    });

    it.each([
      ['size', 5, 1_000n],
      ['time by a nanosecond', 4, 1_001n],
      ['time by a second', 4, 1_000_001_000n],
    ])('changes with the %s', async (_what, sizeBytes, mtimeNs) => {
      const before = await tagOf(Buffer.alloc(4), 1_000n);
      expect(await tagOf(Buffer.alloc(sizeBytes), mtimeNs)).not.toBe(before);
    });

    it('is the same for a copy elsewhere with the same size and time', async () => {
      const [one, two] = [Buffer.alloc(10), Buffer.alloc(10)];
      expect(await tagOf(one, 7n)).toBe(await tagOf(two, 7n));
    });

    it('tells any two states apart', () => {
      const state = fc.tuple(fc.nat(300), fc.bigInt(0n, 10n ** 6n));
      return fc.assert(
        fc.asyncProperty(state, state, async ([size1, time1], [size2, time2]) => {
          const isSame = size1 === size2 && time1 === time2;
          const tags = [
            await tagOf(Buffer.alloc(size1), time1),
            await tagOf(Buffer.alloc(size2), time2),
          ];
          expect(tags[0] === tags[1]).toBe(isSame);
        }),
      );
    });

    it('is well formed for a time before 1970 as well', async () => {
      expect(await tagOf(MPEG_FRAME, -1_000_000_001n)).toMatch(/^"[\x21\x23-\x7e]+"$/);
    });
  });

  describe('Content-Disposition (RFC 6266, RFC 8187)', () => {
    it.each([
      ['plain', 'song.mp3', 'song.mp3', 'song.mp3'],
      ['spaces', '01 My Song.mp3', '01 My Song.mp3', '01 My Song.mp3'],
      ['Latin-1', 'Beyoncé.mp3', 'Beyonc_.mp3', 'Beyoncé.mp3'],
      ['decomposed', 'Beyonce\u0301.mp3', 'Beyonce_.mp3', 'Beyonce\u0301.mp3'],
      ['Cyrillic', 'Группа крови.mp3', '______ _____.mp3', 'Группа крови.mp3'],
      ['Japanese', '坂本龍一.flac', '____.flac', '坂本龍一.flac'],
      ['emoji', '🎵 song.mp3', '_ song.mp3', '🎵 song.mp3'],
      ['quotes', 'a "b" c.mp3', 'a _b_ c.mp3', 'a _b_ c.mp3'],
      ['single quotes', "it's.mp3", "it's.mp3", "it's.mp3"],
      ['backslash', 'a\\b.mp3', 'a_b.mp3', 'a_b.mp3'],
      ['slash', 'a/b.mp3', 'a_b.mp3', 'a_b.mp3'],
      ['percent', '100%25.mp3', '100_25.mp3', '100%25.mp3'],
      ['semicolon and equals', 'a; filename=b.mp3', 'a; filename=b.mp3', 'a; filename=b.mp3'],
      ['controls', 'a\r\nSet-Cookie: b\0\t\x7f\x85.mp3', undefined, 'a__Set-Cookie: b____.mp3'],
      ['right to left override', 'gpj.\u202e3pm.exe', undefined, 'gpj._3pm.exe'],
      ['isolates', 'a\u2066b\u2069\u200f.mp3', undefined, 'a_b__.mp3'],
      ['marks and line ends', 'a\u061c\u200e\u2028\u2029b.mp3', undefined, 'a____b.mp3'],
      ['Arabic', 'أغنية.mp3', '_____.mp3', 'أغنية.mp3'],
      ['all that is reserved', "!#$&+-.^_`|~*'()[]{}<>@,;:?=.mp3", undefined, undefined],
    ])('%s', async (_what, fileName, plain, extended = fileName) => {
      const field = await dispositionOf(fileName);
      expect(field).toMatch(
        /^inline; filename="[\x20\x21\x23-\x5b\x5d-\x7e]*"; filename\*=UTF-8''/,
      );
      if (plain !== undefined) expect(field).toContain(`filename="${plain}"; `);
      expect(parse(field)).toMatchObject({ type: 'inline', parameters: { filename: extended } });
      // ext-value: attr-char and percent-encoded octets, nothing else (RFC 8187 §3.2.1)
      const [, value] = /filename\*=UTF-8''(.*)$/.exec(field)!;
      expect(value).toMatch(/^(?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})*$/);
      expect(decodeURIComponent(value!)).toBe(extended);
    });

    it.each([
      ['ASCII', 'x'],
      ['percent-encoded ASCII', '('],
      ['spaces', ' x'],
      ['Latin-1', 'é'],
      ['Cyrillic', 'ж'],
      ['CJK', '龍'],
      ['emoji', '🎵'],
      ['combining', 'e\u0301'],
    ])('stays below 1 kB with 250 bytes of %s, and keeps the extension', async (_what, unit) => {
      const count = Math.floor(246 / Buffer.byteLength(unit));
      const fileName = `${unit.repeat(count)}.flac`;
      const field = await dispositionOf(fileName);
      expect(field.length).toBeLessThan(1_000);
      expect(field).toMatch(/^[\x20-\x7e]+$/);
      const { filename = '' } = parse(field).parameters;
      expect(filename.endsWith('.flac')).toBe(true);
      expect(() => encodeURIComponent(filename)).not.toThrow(); // no half characters
      expect(fileName.startsWith(filename.slice(0, -'.flac'.length))).toBe(true);
      expect(Buffer.byteLength(filename)).toBeGreaterThan(230);
    });

    it('is a field that can be sent, for any name', () => {
      const name = fc.string({ unit: 'grapheme', maxLength: 300 });
      return fc.assert(
        fc.asyncProperty(name, async (text) => {
          const field = await dispositionOf(`${text}.mp3`);
          expect(field.length).toBeLessThan(1_000);
          expect(field).toMatch(/^inline; filename="[\x20\x21\x23-\x5b\x5d-\x7e]*"; [\x21-\x7e]+$/);
        }),
      );
    });
  });
});
