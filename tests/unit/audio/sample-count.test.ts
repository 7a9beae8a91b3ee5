import fc from 'fast-check';
import {
  forcedSamplesFilter,
  mp3SampleRate,
  resampledCount,
} from '../../../src/audio/sample-count';

describe('mp3SampleRate()', () => {
  it.each([
    [44_100, 44_100],
    [16_000, 16_000],
    [8000, 8000],
    [96_000, 48_000],
    [192_000, 48_000],
    [88_200, 44_100],
    [176_400, 44_100],
    [2_822_400, 44_100],
    [37_800, 44_100],
    [50_000, 48_000],
    [4000, 8000],
  ])('a source of %i Hz becomes %i Hz', (source, rate) => {
    expect(mp3SampleRate(source)).toBe(rate);
  });
});

describe('resampledCount()', () => {
  it.each([
    [1, 96_000, 48_000, 1],
    [3, 96_000, 48_000, 2],
    [44_100, 44_100, 48_000, 48_000],
    [1000, 44_100, 48_000, 1088],
    [5, 48_000, 48_000, 5],
  ])('%i samples from %i to %i Hz are %i', (samples, from, to, count) => {
    expect(resampledCount(samples, from, to)).toBe(count);
  });

  it('is exact for days of sound', () => {
    const rates = fc.constantFrom(44_100, 48_000, 96_000, 192_000, 384_000);
    const samples = fc.integer({ min: 1, max: 24 * 3600 * 192_000 });
    fc.assert(
      fc.property(samples, rates, rates, (count, from, to) => {
        const exact = (2n * BigInt(count) * BigInt(to) + BigInt(from)) / (2n * BigInt(from));
        expect(BigInt(resampledCount(count, from, to))).toBe(exact);
      }),
    );
  });
});

describe('forcedSamplesFilter()', () => {
  it('resamples and mixes before it pads and cuts', () => {
    expect(forcedSamplesFilter({ samples: 12_345, sampleRateHz: 48_000, channels: 2 })).toBe(
      'aresample=48000:rematrix_maxval=1,aformat=channel_layouts=stereo,asetpts=N/SR/TB,' +
        'apad=whole_len=12345,aselect=not(isnan(pts)),atrim=end_sample=12345',
    );
  });
});
