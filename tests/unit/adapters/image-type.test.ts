import { identifyImage } from '../../../src/adapters/image-type';
import { choosePicture, LARGEST_PICTURE_BYTES } from '../../../src/adapters/tags/read-picture';

const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
const JPEG = Buffer.from('ffd8ffe000104a46494600', 'hex');

describe('identifyImage()', () => {
  it.each([
    ['jpeg', JPEG],
    ['jpeg', Buffer.from('ffd8ffdb', 'hex')],
    ['png', PNG],
    ['webp', Buffer.from('RIFF\x10\0\0\0WEBPVP8 ', 'latin1')],
    ['webp', Buffer.from('RIFF\x10\0\0\0WEBPVP8L', 'latin1')],
    ['gif', Buffer.from('GIF89a\x01\0')],
    ['gif', Buffer.from('GIF87a\x01\0')],
  ])('knows %s by its first bytes', (type, head) => {
    expect(identifyImage(head)).toBe(type);
  });

  it.each([
    ['nothing', ''],
    ['half a signature', '\x89PNG'],
    ['SVG', '<svg xmlns="http:'],
    ['XML', '<?xml version="1.0"?>'],
    ['BMP', 'BM\x36\0\0\0\0\0\0\0'],
    ['TIFF', 'II*\0\x08\0\0\0'],
    ['AVIF', '\0\0\0\x20ftypavif\0\0\0\0'],
    ['WAVE', 'RIFF\x10\0\0\0WAVEfmt '],
    ['a GIF of another year', 'GIF90a\x01\0'],
    ['PDF', '%PDF-1.7'],
    ['an image behind a space', ' GIF89a'],
  ])('serves no %s', (_what, head) => {
    expect(identifyImage(Buffer.from(head, 'latin1'))).toBeUndefined();
  });

  it('reads a view, not the memory around it', () => {
    const around = Buffer.concat([PNG, Buffer.from('no picture'), PNG]);
    expect(identifyImage(around.subarray(PNG.length, PNG.length + 10))).toBeUndefined();
    expect(identifyImage(new Uint8Array(around).subarray(PNG.length + 10))).toBe('png');
  });
});

describe('choosePicture()', () => {
  const front = { data: PNG, type: 'Cover (front)' };
  const back = { data: JPEG, type: 'Cover (back)' };
  const svg = { data: Buffer.from('<svg/>'), type: 'Cover (front)' };
  const large = { data: Buffer.concat([PNG, Buffer.alloc(LARGEST_PICTURE_BYTES)]), type: 'front' };

  it.each([
    ['the front cover', [back, front], front],
    ['the first, where none is the front', [{ data: JPEG }, back], { data: JPEG }],
    ['another, where the front is no picture', [svg, back], back],
    ['another, where the front is too large', [large, back], back],
    ['the first of two fronts', [front, { ...front, data: JPEG }], front],
  ])('takes %s', (_what, pictures, expected) => {
    expect(choosePicture(pictures)).toEqual(expected);
  });

  it('takes none where there is none', () => {
    expect(choosePicture([])).toBeUndefined();
    expect(choosePicture([svg, large])).toBeUndefined();
  });
});
