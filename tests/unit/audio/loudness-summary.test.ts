import { parseLoudnessSummary } from '../../../src/audio/loudness-summary';

function summary(integrated: string, range: string, sample: string, truePeak: string): string {
  return `size=   51680kB time=00:05:00.00 bitrate=1411.2kbits/s speed=84.4x
[Parsed_ebur128_0 @ 0x564d77e14880] Summary:

  Integrated loudness:
    I:         ${integrated} LUFS
    Threshold: -33.5 LUFS

  Loudness range:
    LRA:         ${range} LU
    Threshold: -43.5 LUFS
    LRA low:   -25.0 LUFS
    LRA high:  -22.0 LUFS

  Sample peak:
    Peak:       ${sample} dBFS

  True peak:
    Peak:       ${truePeak} dBFS`;
}

describe('parseLoudnessSummary()', () => {
  it('reads the four values', () => {
    expect(parseLoudnessSummary(summary('-23.4', '3.0', '-3.7', '0.4'))).toEqual({
      integratedLufs: -23.4,
      rangeLu: 3,
      samplePeakDbfs: -3.7,
      truePeakDbtp: 0.4,
    });
  });

  it('reads on when something is said behind it', () => {
    const log = `${summary('-23.4', '3.0', '-3.7', '0.4')}\n[out#0/u8] video:0KiB audio:5KiB\n`;
    expect(parseLoudnessSummary(log)).toMatchObject({ truePeakDbtp: 0.4 });
  });

  it('knows no loudness and no peak of digital silence', () => {
    expect(parseLoudnessSummary(summary('-70.0', '0.0', '-inf', '-inf'))).toEqual({
      integratedLufs: null,
      rangeLu: null,
      samplePeakDbfs: null,
      truePeakDbtp: null,
    });
  });

  it('knows the peaks of what is too short or too quiet for a loudness', () => {
    expect(parseLoudnessSummary(summary('-70.0', '0.0', '-6.0', '-5.9'))).toEqual({
      integratedLufs: null,
      rangeLu: null,
      samplePeakDbfs: -6,
      truePeakDbtp: -5.9,
    });
  });

  it.each(['nan', '-nan', 'inf'])('takes %s for nothing that is known', (word) => {
    const log = summary(word, word, word, word);
    expect(parseLoudnessSummary(log)).toMatchObject({ integratedLufs: null, truePeakDbtp: null });
  });

  it('does not believe the tags of a track, which come before', () => {
    const tags = `  Metadata:\n    comment : ${summary('-1.0', '1.0', '-1.0', '-1.0')}\n`;
    const log = tags + summary('-23.4', '3.0', '-3.7', '0.4');
    expect(parseLoudnessSummary(log)).toMatchObject({ integratedLufs: -23.4 });
  });

  it.each([
    ['nothing', ''],
    ['a summary that was cut', summary('-23.4', '3.0', '-3.7', '0.4').slice(0, -20)],
    ['words in place of numbers', summary('loud', '3.0', '-3.7', '0.4')],
  ])('finds none in %s', (_, log) => {
    expect(parseLoudnessSummary(log)).toBeUndefined();
  });
});
