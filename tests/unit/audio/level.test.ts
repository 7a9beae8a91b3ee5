import { encoderLevel, levelFilter } from '../../../src/audio/level';
import { TRANSCODE_BITRATES } from '../../../src/services/transcode-options';

const change = { gainDb: 2, truePeakDbtp: -3, sampleRateHz: 44_100, channels: 2 } as const;

describe('levelFilter()', () => {
  it('is a gain alone for what is lossless', () => {
    expect(levelFilter(change, encoderLevel('flac', undefined, 2))).toBe('volume=2.00dB');
  });

  it('is a gain alone where the peaks stay far enough below the limit', () => {
    const quiet = { ...change, truePeakDbtp: -9 };
    expect(levelFilter(quiet, encoderLevel('opus', 96, 2))).toBe('volume=2.00dB');
  });

  it('limits peaks, of four times as many samples, that encoding may bring above the limit', () => {
    expect(levelFilter(change, { overshootDb: 5, lossDb: 0 })).toBe(
      'volume=2.00dB,aresample=176400:rematrix_maxval=1,aformat=channel_layouts=stereo,' +
        'apad=pad_len=881,aselect=not(isnan(pts)),' +
        'alimiter=limit=0.5012:level=0:attack=5:release=50,atrim=start_sample=881',
    );
  });

  it('gives back what LAME takes, below the limit', () => {
    const filter = levelFilter(change, encoderLevel('mp3', 128, 2));
    expect(filter).toMatch(/^volume=2\.45dB,/);
    expect(filter).toContain(`alimiter=limit=${(10 ** (-5.05 / 20)).toFixed(4)}:`);
  });

  it('knows the encoder at every bit rate that is offered', () => {
    for (const format of ['mp3', 'aac', 'opus'] as const) {
      for (const bitRate of TRANSCODE_BITRATES[format]) {
        expect([bitRate, encoderLevel(format, bitRate, 2).overshootDb > 1]).toEqual([
          bitRate,
          true,
        ]);
      }
    }
  });
});
