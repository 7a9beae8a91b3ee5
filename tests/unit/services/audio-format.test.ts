import fc from 'fast-check';
import {
  formatOfExtension,
  HEAD_BYTES,
  id3v2Length,
  identifyFormat,
  MEDIA_TYPES,
} from '../../../src/services/audio-format';
import { EXTENSIONS } from '../../../src/storage/local-store';

/** Bytes given as text (latin1) and numbers, filled up to what is looked at. */
function head(...parts: (string | number)[]): Buffer {
  const bytes = parts.map((part) =>
    typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.of(part),
  );
  return Buffer.concat([...bytes, Buffer.alloc(HEAD_BYTES)]).subarray(0, HEAD_BYTES);
}

/** A chunk header: four characters, length, type. */
function chunk(id: string, type: string): Buffer {
  return head(id, 0x24, 0x08, 0x00, 0x00, type);
}

describe('MEDIA_TYPES', () => {
  it('is the table of the contract', () => {
    expect(MEDIA_TYPES).toEqual({
      mp3: 'audio/mpeg',
      flac: 'audio/flac',
      mp4: 'audio/mp4',
      aac: 'audio/aac',
      ogg: 'audio/ogg',
      wav: 'audio/wav',
      aiff: 'audio/aiff',
      webm: 'audio/webm',
      wma: 'audio/x-ms-wma',
    });
  });
});

describe('formatOfExtension()', () => {
  it.each([
    ['mp3', 'mp3'],
    ['flac', 'flac'],
    ['m4a', 'mp4'],
    ['m4b', 'mp4'],
    ['mp4', 'mp4'],
    ['aac', 'aac'],
    ['ogg', 'ogg'],
    ['oga', 'ogg'],
    ['opus', 'ogg'],
    ['wav', 'wav'],
    ['aif', 'aiff'],
    ['aiff', 'aiff'],
    ['webm', 'webm'],
    ['weba', 'webm'],
    ['wma', 'wma'],
  ])('of %s is %s', (extension, format) => {
    expect(formatOfExtension(extension)).toBe(format);
  });

  it('knows every extension that the store looks for', () => {
    expect(EXTENSIONS.filter((extension) => !formatOfExtension(extension))).toEqual([]);
  });

  it.each(['', 'txt', 'MP3', '.mp3', '__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'knows no %j',
    (extension) => {
      expect(formatOfExtension(extension)).toBeUndefined();
    },
  );
});

describe('identifyFormat()', () => {
  it.each([
    ['FLAC stream', head('fLaC', 0x00, 0x00, 0x00, 0x22), 'flac'],
    ['Ogg page', head('OggS', 0x00, 0x02), 'ogg'],
    ['RIFF WAVE', chunk('RIFF', 'WAVE'), 'wav'],
    ['RF64 (EBU 3306)', head('RF64', 0xff, 0xff, 0xff, 0xff, 'WAVE'), 'wav'],
    ['BW64 (BS.2088)', head('BW64', 0xff, 0xff, 0xff, 0xff, 'WAVE'), 'wav'],
    ['AIFF', chunk('FORM', 'AIFF'), 'aiff'],
    ['AIFF-C', chunk('FORM', 'AIFC'), 'aiff'],
    ['MP4, M4A brand', head(0, 0, 0, 0x20, 'ftypM4A '), 'mp4'],
    ['MP4, isom brand', head(0, 0, 0, 0x18, 'ftypisom'), 'mp4'],
    ['MP4, M4B brand', head(0, 0, 0, 0x1c, 'ftypM4B '), 'mp4'],
    ['MP4, dash brand', head(0, 0, 0, 0x1c, 'ftypdash'), 'mp4'],
    ['EBML', head(0x1a, 0x45, 0xdf, 0xa3, 0x9f, 0x42, 0x86), 'webm'],
    ['ASF', head('\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c'), 'wma'],
    ['ADIF', head('ADIF'), 'aac'],
    ['ADTS, MPEG-4', head(0xff, 0xf1, 0x50, 0x80), 'aac'],
    ['ADTS, MPEG-4, with CRC', head(0xff, 0xf0, 0x50, 0x80), 'aac'],
    ['ADTS, MPEG-2', head(0xff, 0xf9, 0x50, 0x80), 'aac'],
    ['MPEG 1 layer 3', head(0xff, 0xfb, 0x90, 0x64), 'mp3'],
    ['MPEG 1 layer 3, with CRC', head(0xff, 0xfa, 0x90, 0x64), 'mp3'],
    ['MPEG 2 layer 3', head(0xff, 0xf3, 0x64, 0xc4), 'mp3'],
    ['MPEG 2.5 layer 3', head(0xff, 0xe3, 0x18, 0xc4), 'mp3'],
    ['MPEG 1 layer 2', head(0xff, 0xfd, 0xa4, 0x04), 'mp3'],
    ['MPEG 1 layer 1', head(0xff, 0xff, 0x44, 0x04), 'mp3'],
    ['MPEG, free bit rate', head(0xff, 0xfb, 0x00, 0x64), 'mp3'],
  ])('recognises %s', (_what, bytes, format) => {
    expect(identifyFormat(bytes)).toBe(format);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.of(0xff)],
    ['zeros', head()],
    ['text', head('Hello, world!')],
    ['HTML', head('<!DOCTYPE html>')],
    ['an ID3 tag', head('ID3', 4, 0, 0, 0, 0, 0, 10)],
    ['RIFF of pictures', chunk('RIFF', 'WEBP')],
    ['RIFF of video', chunk('RIFF', 'AVI ')],
    ['RIFX', chunk('RIFX', 'WAVE')],
    ['FORM of pictures', chunk('FORM', 'ILBM')],
    ['flac in small letters', head('flac')],
    ['a FLAC mark too late', head('xfLaC')],
    ['half an Ogg mark', Buffer.from('Ogg')],
    ['a chunk cut short', Buffer.from('RIFF\x24\x08')],
    ['ftyp at the start', head('ftypM4A ')],
    ['half an ASF mark', head('\x30\x26\xb2\x75\x00\x00\x00\x00')],
    ['half an EBML mark', head(0x1a, 0x45, 0xdf)],
    ['reserved MPEG version', head(0xff, 0xeb, 0x90, 0x64)],
    ['bad MPEG bit rate', head(0xff, 0xfb, 0xf0, 0x64)],
    ['reserved MPEG sample rate', head(0xff, 0xfb, 0x9c, 0x64)],
    ['reserved MPEG 2.5 layer', head(0xff, 0xe1, 0x50, 0x80)],
    ['no sync word', head(0xff, 0xdb, 0x90, 0x64)],
    ['JPEG', head(0xff, 0xd8, 0xff, 0xe0)],
    ['PNG', head(0x89, 'PNG')],
    ['ZIP', head('PK\x03\x04')],
  ])('leaves %s unnamed', (_what, bytes) => {
    expect(identifyFormat(bytes)).toBeUndefined();
  });

  it('needs no more than HEAD_BYTES', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 64 }), (bytes) => {
        expect(identifyFormat(bytes)).toBe(identifyFormat(bytes.subarray(0, HEAD_BYTES)));
      }),
    );
  });
});

describe('id3v2Length()', () => {
  it.each([
    ['ID3v2.3 of 10 bytes', head('ID3', 3, 0, 0x00, 0, 0, 0, 10), 20],
    ['ID3v2.4 of no bytes', head('ID3', 4, 0, 0x00, 0, 0, 0, 0), 10],
    ['ID3v2.2', head('ID3', 2, 0, 0x00, 0, 0, 2, 1), 267],
    ['seven bits a byte', head('ID3', 4, 0, 0x00, 0, 0, 1, 0), 138],
    ['the longest', head('ID3', 4, 0, 0x00, 0x7f, 0x7f, 0x7f, 0x7f), 2 ** 28 - 1 + 10],
    ['a footer', head('ID3', 4, 0, 0x10, 0, 0, 0, 10), 30],
    ['other flags', head('ID3', 4, 0, 0xe0, 0, 0, 0, 10), 20],
    ['none', head('fLaC'), 0],
    ['ID3v1', head('TAG'), 0],
    ['another case', head('id3', 4, 0, 0, 0, 0, 0, 10), 0],
    ['one cut short', Buffer.from('ID3\x04\x00\x00\x00\x00\x00'), 0],
    ['nothing', Buffer.alloc(0), 0],
  ])('of %s', (_what, bytes, expected) => {
    expect(id3v2Length(bytes)).toBe(expected);
  });

  it('is whole and positive for any tag', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 7, maxLength: 7 }), (rest) => {
        const length = id3v2Length(Buffer.concat([Buffer.from('ID3'), rest]));
        expect(Number.isInteger(length)).toBe(true);
        expect(length).toBeGreaterThanOrEqual(10);
        expect(length).toBeLessThan(2 ** 28 + 20);
      }),
    );
  });
});
