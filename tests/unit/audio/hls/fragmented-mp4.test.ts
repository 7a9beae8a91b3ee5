import { initSegment, mediaSegment } from '../../../../src/audio/hls/fragmented-mp4';
import { planSegments, segmentOf } from '../../../../src/audio/hls/segment-plan';

const CONTAINERS = ['moov', 'trak', 'edts', 'mdia', 'minf', 'dinf', 'stbl', 'mvex', 'moof', 'traf'];

/** Contents of all boxes by their paths; fails on a length that does not fit. */
function boxesOf(bytes: Buffer, path = ''): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    expect(length).toBeGreaterThanOrEqual(8);
    expect(at + length).toBeLessThanOrEqual(bytes.length);
    const content = bytes.subarray(at + 8, at + length);
    found.set(path + type, content);
    if (CONTAINERS.includes(type)) {
      for (const [inner, value] of boxesOf(content, `${path}${type}/`)) found.set(inner, value);
    }
    at += length;
  }
  return found;
}

function wordsOf(bytes: Buffer | undefined): number[] {
  return Array.from({ length: bytes!.length / 4 }, (_, i) => bytes!.readUInt32BE(4 * i));
}

// two whole segments and one of 44 frames, the last of which has 884 samples
const plan = planSegments(44_100, 44_100 * 13);

describe('initSegment()', () => {
  const boxes = boxesOf(initSegment({ plan, channels: 2, bitRateBps: 128_000 }));

  it('is a CMAF header', () => {
    expect([...boxes.keys()].filter((path) => !path.includes('/'))).toEqual(['ftyp', 'moov']);
    expect(boxes.get('ftyp')?.toString('latin1')).toContain('cmfc');
  });

  it('begins what is heard behind the delay of the encoder', () => {
    // version, one entry, to the end, from sample 1024, rate 1
    expect(wordsOf(boxes.get('moov/trak/edts/elst'))).toEqual([0, 1, 0, 1024, 0x10000]);
  });

  it('says for ffmpeg what to drop at both ends', () => {
    // 573,300 samples are 559 frames and 884 samples
    const tag = boxes.get('moov/udta')?.toString('latin1');
    expect(tag).toMatch(/iTunSMPB.+ 00000000 00000400 0000008C 000000000008BF74 /s);
  });

  it('tells the duration of what is heard, at the sample rate', () => {
    expect(wordsOf(boxes.get('moov/mvex/mehd'))).toEqual([0x1000000, 0, 44_100 * 13]);
    expect(boxes.get('moov/mvhd')?.readUInt32BE(12)).toBe(44_100);
    expect(boxes.get('moov/trak/mdia/mdhd')?.readUInt32BE(12)).toBe(44_100);
  });

  it.each([
    [44_100, 2, '1210'],
    [48_000, 2, '1190'],
    [22_050, 1, '1388'],
  ] as const)('describes AAC-LC at %i Hz with %i channels', (rate, channels, config) => {
    const track = { plan: planSegments(rate, rate), channels, bitRateBps: 64_000 };
    const entry = boxesOf(initSegment(track)).get('moov/trak/mdia/minf/stbl/stsd')!;
    expect(entry.toString('hex')).toContain(`0502${config}0601`);
  });

  it('refuses a rate that AAC has no number for', () => {
    const track = { plan: planSegments(37_800, 37_800), channels: 2, bitRateBps: 64_000 } as const;
    expect(() => initSegment(track)).toThrow(RangeError);
  });
});

describe('mediaSegment()', () => {
  const framesOf = (count: number): Buffer[] =>
    Array.from({ length: count }, (_, i) => Buffer.alloc(100 + (i % 7), i));

  it('has the time, the sizes and the bytes of its frames', () => {
    const frames = framesOf(258);
    const bytes = mediaSegment(plan, segmentOf(plan, 1)!, frames);
    const boxes = boxesOf(bytes);
    expect(wordsOf(boxes.get('moof/mfhd'))).toEqual([0, 2]);
    expect(wordsOf(boxes.get('moof/traf/tfdt'))).toEqual([0x1000000, 0, 259 * 1024]);
    const [flags, count, offset, ...sizes] = wordsOf(boxes.get('moof/traf/trun'));
    expect([flags, count]).toEqual([0x201, 258]);
    expect(sizes).toEqual(frames.map(({ length }) => length));
    expect(boxes.get('mdat')).toEqual(Buffer.concat(frames));
    // counted from the first byte of moof
    const moofStart = bytes.indexOf('moof') - 4;
    expect(bytes.subarray(moofStart + offset!)).toEqual(Buffer.concat(frames));
  });

  it('counts the last frame only as far as the track goes', () => {
    const bytes = mediaSegment(plan, segmentOf(plan, 2)!, framesOf(44));
    const [flags, count, , ...entries] = wordsOf(boxesOf(bytes).get('moof/traf/trun'));
    expect([flags, count]).toEqual([0x301, 44]);
    expect(entries.filter((_, i) => i % 2 === 0)).toEqual([...Array<number>(43).fill(1024), 884]);
  });

  it('says times behind 2^32 samples', () => {
    const long = planSegments(48_000, 2 ** 33);
    const last = segmentOf(long, long.segmentCount - 1)!;
    const bytes = mediaSegment(long, last, framesOf(last.frameCount));
    const [, high, low] = wordsOf(boxesOf(bytes).get('moof/traf/tfdt'));
    expect(high! * 2 ** 32 + low!).toBe(last.firstFrame * 1024);
  });

  it.each([257, 259])('refuses %i frames for a segment of 258', (count) => {
    expect(() => mediaSegment(plan, segmentOf(plan, 1)!, framesOf(count))).toThrow(RangeError);
  });
});
