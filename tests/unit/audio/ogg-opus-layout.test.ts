import { planOggOpus } from '../../../src/audio/ogg-opus-layout';

describe('planOggOpus()', () => {
  it.each([
    // packets: 312 samples of pre-skip come first, then 960 a packet
    [1, 1, 121 + 27 + 161],
    [648, 1, 121 + 27 + 161],
    [649, 2, 121 + 27 + 2 * 161],
    [47_688, 50, 121 + 27 + 50 * 161],
    [47_689, 51, 121 + 27 + 50 * 161 + 27 + 161],
  ])('%i samples are %i packets, %i bytes', (samples, packetCount, lengthBytes) => {
    const layout = planOggOpus({ channels: 2, bitRateKbps: 64 }, samples);
    expect(layout).toMatchObject({ packetCount, lengthBytes, packetBytes: 160 });
  });

  it('counts a lacing value more for every 255 bytes of a packet', () => {
    expect(planOggOpus({ channels: 2, bitRateKbps: 256 }, 1).lengthBytes).toBe(121 + 27 + 643);
    // 102 kbit/s are 255 bytes: a second value of 0 ends the packet
    expect(planOggOpus({ channels: 2, bitRateKbps: 102 }, 1).lengthBytes).toBe(121 + 27 + 257);
  });

  it.each([
    [2, 65, 100],
    [2, 510, 100],
    [1, 320, 100],
    [2, 4, 100],
    [2, 64, 0],
    [2, 64, 0.5],
  ] as const)(
    'refuses %i channels at %d kbit/s with %d samples',
    (channels, bitRateKbps, samples) => {
      expect(() => planOggOpus({ channels, bitRateKbps }, samples)).toThrow(RangeError);
    },
  );
});
