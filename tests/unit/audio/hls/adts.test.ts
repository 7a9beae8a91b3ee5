import { splitAdtsFrames } from '../../../../src/audio/hls/adts';

/** A frame of AAC-LC, 44.1 kHz, stereo, without checksum; bytes of the header may be changed. */
function adtsFrame(content: readonly number[], changed: Record<number, number> = {}): Buffer {
  const length = content.length + 7;
  const header = [
    0xff,
    0xf1,
    0x50,
    0x80 | (length >> 11),
    (length >> 3) & 0xff,
    ((length & 0b111) << 5) | 0x1f,
    0xfc,
  ];
  for (const [at, value] of Object.entries(changed)) header[Number(at)] = value;
  return Buffer.from([...header, ...content]);
}

describe('splitAdtsFrames()', () => {
  it('gives the frames without their headers', () => {
    const long = Array.from({ length: 8184 }, (_, i) => i & 0xff);
    const bytes = Buffer.concat([adtsFrame([1, 2, 3]), adtsFrame(long), adtsFrame([0xff])]);
    expect(splitAdtsFrames(bytes)).toEqual({
      sampleRateHz: 44_100,
      channels: 2,
      frames: [Buffer.from([1, 2, 3]), Buffer.from(long), Buffer.from([0xff])],
    });
  });

  it('takes the bit of MPEG-2 as well', () => {
    expect(splitAdtsFrames(adtsFrame([1], { 1: 0xf9 })).frames).toHaveLength(1);
  });

  it.each([
    ['no bytes', Buffer.alloc(0), 'half a header'],
    ['half a header', adtsFrame([1]).subarray(0, 6), 'half a header'],
    ['half a frame', adtsFrame([1, 2]).subarray(0, 8), 'half a frame'],
    ['bytes between frames', Buffer.concat([adtsFrame([1]), Buffer.alloc(7)]), 'no header'],
    ['a checksum', adtsFrame([1, 2, 3], { 1: 0xf0 }), 'no header'],
    ['another layer', adtsFrame([1], { 1: 0xf3 }), 'no header'],
    ['AAC Main', adtsFrame([1], { 2: 0x10 }), 'not AAC-LC'],
    ['a rate that is none', adtsFrame([1], { 2: 0x74 }), 'no rate'],
    ['channels told elsewhere', adtsFrame([1], { 3: 0x00 }), 'no rate or no channels'],
    ['two blocks', adtsFrame([1], { 6: 0xfd }), 'several blocks'],
    ['an empty frame', adtsFrame([]), 'an empty frame'],
    [
      'another rate later',
      Buffer.concat([adtsFrame([1]), adtsFrame([1], { 2: 0x4c })]),
      'another rate',
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => splitAdtsFrames(bytes)).toThrow(message);
  });
});
