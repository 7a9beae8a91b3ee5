import { crc16 } from '../../../src/audio/crc16';
import { formatInfoFrame } from '../../../src/audio/mp3-info-frame';
import { planMp3 } from '../../../src/audio/mp3-layout';
import { mp3BitRates } from '../../../src/audio/mpeg-frame';
import { MP3_SAMPLE_RATES_HZ } from '../../../src/audio/sample-count';

describe('formatInfoFrame()', () => {
  const layout = planMp3({ sampleRateHz: 44_100, channels: 2, bitRateKbps: 128 }, 100_000);
  const frame = formatInfoFrame(layout);

  it('is a frame of the same form as those that follow', () => {
    expect(frame.subarray(0, 4).toString('hex')).toBe('fffb9044');
    expect(frame).toHaveLength(417);
  });

  it('says how many frames and bytes there are', () => {
    expect(frame.toString('latin1', 36, 40)).toBe('Info');
    expect(frame.readUInt32BE(44)).toBe(layout.frameCount);
    expect(frame.readUInt32BE(48)).toBe(layout.lengthBytes);
  });

  it('has a table that rises evenly', () => {
    const table = [...frame.subarray(52, 152)];
    expect(table.slice(0, 2)).toEqual([2, 5]);
    expect(table[50]).toBe(129);
    expect(table[99]).toBe(253);
  });

  it('says what a gapless player drops', () => {
    expect(frame.toString('latin1', 156, 165)).toBe('LAME3.100');
    const delays = frame.readUIntBE(177, 3);
    expect(delays >> 12).toBe(576);
    expect(576 + 100_000 + (delays & 0xfff)).toBe(layout.frameCount * 1152);
  });

  it('ends with a checksum of all before it', () => {
    expect(frame.readUInt16BE(190)).toBe(crc16(frame.subarray(0, 190)));
    expect(frame.subarray(192).every((byte) => byte === 0)).toBe(true);
  });

  it('leaves the number of bytes unknown where 32 bits do not hold it', () => {
    const form = { sampleRateHz: 48_000, channels: 2, bitRateKbps: 320 } as const;
    const long = formatInfoFrame(planMp3(form, 40 * 3600 * 48_000));
    expect(long.readUInt32BE(48)).toBe(0);
  });

  it('has room in every form, in a larger frame where need be', () => {
    for (const sampleRateHz of MP3_SAMPLE_RATES_HZ) {
      for (const bitRateKbps of mp3BitRates(sampleRateHz)) {
        for (const channels of [1, 2] as const) {
          const one = planMp3({ sampleRateHz, channels, bitRateKbps }, 1000);
          expect(formatInfoFrame(one)).toHaveLength(one.headerBytes);
        }
      }
    }
    const small = planMp3({ sampleRateHz: 48_000, channels: 2, bitRateKbps: 32 }, 1000);
    expect(formatInfoFrame(small).subarray(0, 4).toString('hex')).toBe('fffb5444');
    expect(small.headerBytes).toBe(192);
  });
});

describe('crc16()', () => {
  it('gives the check value of CRC-16/ARC', () => {
    expect(crc16(Buffer.from('123456789'))).toBe(0xbb3d);
  });
});
