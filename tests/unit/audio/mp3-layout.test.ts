import fc from 'fast-check';
import { frameAt, frameBytes, frameOffset, planMp3 } from '../../../src/audio/mp3-layout';
import { mp3BitRates } from '../../../src/audio/mpeg-frame';
import { MP3_SAMPLE_RATES_HZ } from '../../../src/audio/sample-count';

const forms = fc.constantFrom(...MP3_SAMPLE_RATES_HZ).chain((sampleRateHz) =>
  fc.record({
    sampleRateHz: fc.constant(sampleRateHz),
    channels: fc.constantFrom(1 as const, 2 as const),
    bitRateKbps: fc.constantFrom(...mp3BitRates(sampleRateHz)),
  }),
);
const layouts = fc
  .tuple(forms, fc.integer({ min: 1, max: 40 * 3600 * 48_000 }))
  .map(([form, samples]) => planMp3(form, samples));

describe('planMp3()', () => {
  it.each([
    // source samples, frames and bytes of sound that ffmpeg 4.1, 5.1 and 7.1 produced
    [48_000, 128, 1, 2, 2 * 384],
    [48_000, 128, 1152, 2, 2 * 384],
    [48_000, 128, 1153, 3, 3 * 384],
    [44_100, 128, 1, 2, 417 + 418],
    [44_100, 128, 2304, 3, 417 + 418 + 418],
    [44_100, 32, 1153, 3, 104 + 105 + 104],
    [22_050, 64, 1, 3, 208 + 209 + 209],
  ] as const)(
    '%i Hz, %i kbit/s, %i samples: %i frames of %i bytes',
    (sampleRateHz, bitRateKbps, samples, frameCount, bytes) => {
      const layout = planMp3({ sampleRateHz, channels: 2, bitRateKbps }, samples);
      expect(layout.frameCount).toBe(frameCount);
      expect(layout.lengthBytes - layout.headerBytes).toBe(bytes);
    },
  );

  it('keeps the mean bit rate within a byte, however long', () => {
    const layout = planMp3({ sampleRateHz: 44_100, channels: 2, bitRateKbps: 320 }, 441_000_000);
    const exact = (layout.frameCount * 144 * 320_000) / 44_100;
    expect(Math.abs(layout.lengthBytes - layout.headerBytes - exact)).toBeLessThan(2);
  });

  it('leaves the decoder at least 529 samples, and fits the tag with 12 bits', () => {
    fc.assert(
      fc.property(layouts, (layout) => {
        expect(layout.encoderPaddingSamples).toBeGreaterThanOrEqual(576);
        expect(layout.encoderPaddingSamples).toBeLessThan(4096);
      }),
    );
  });

  it.each([
    [44_100, 129, 1000],
    [16_000, 320, 1000],
    [8000, 128, 1000],
    [44_100, 128, 0],
    [44_100, 128, 1.5],
    [44_100, 128, NaN],
  ] as const)(
    'refuses %i Hz at %i kbit/s with %d samples',
    (sampleRateHz, bitRateKbps, samples) => {
      expect(() => planMp3({ sampleRateHz, channels: 1, bitRateKbps }, samples)).toThrow(
        RangeError,
      );
    },
  );
});

describe('frameOffset(), frameBytes() and frameAt()', () => {
  it('begin after the header frame and end with the file', () => {
    fc.assert(
      fc.property(layouts, (layout) => {
        expect(frameOffset(layout, 0)).toBe(layout.headerBytes);
        expect(frameOffset(layout, layout.frameCount)).toBe(layout.lengthBytes);
      }),
    );
  });

  it('agree on the first and the last byte of every frame', () => {
    fc.assert(
      fc.property(layouts, fc.double({ min: 0, max: 0.999, noNaN: true }), (layout, part) => {
        const frame = Math.floor(part * layout.frameCount);
        const offset = frameOffset(layout, frame);
        expect(frameAt(layout, offset)).toBe(frame);
        expect(frameAt(layout, offset + frameBytes(layout, frame) - 1)).toBe(frame);
      }),
    );
  });

  it('know the header frame and the borders of the file', () => {
    const layout = planMp3({ sampleRateHz: 44_100, channels: 2, bitRateKbps: 128 }, 5000);
    expect(frameAt(layout, 0)).toBeUndefined();
    expect(frameAt(layout, layout.headerBytes - 1)).toBeUndefined();
    expect(() => frameAt(layout, layout.lengthBytes)).toThrow(RangeError);
    expect(() => frameAt(layout, -1)).toThrow(RangeError);
  });
});
