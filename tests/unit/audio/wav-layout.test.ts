import {
  formatWavHeader,
  planWav,
  type WavForm,
  type WavLayout,
} from '../../../src/audio/wav-layout';

const CD: WavForm = { sampleRateHz: 44_100, channels: 2, bitsPerSample: 16 };

function plan(form: WavForm, samples: number): WavLayout {
  const layout = planWav(form, samples);
  if (layout.kind !== 'wav') throw new Error('too large');
  return layout;
}

describe('planWav()', () => {
  it('counts header and PCM', () => {
    expect(plan(CD, 1000).lengthBytes).toBe(44 + 4000);
    expect(plan({ ...CD, bitsPerSample: 24 }, 1000).lengthBytes).toBe(44 + 6000);
  });

  it('adds a sample where the bytes would be odd', () => {
    const mono: WavForm = { sampleRateHz: 48_000, channels: 1, bitsPerSample: 24 };
    expect(plan(mono, 1001)).toMatchObject({ samples: 1002, lengthBytes: 44 + 3006 });
    expect(plan(mono, 1002).samples).toBe(1002);
  });

  it('refuses what 32 bits do not hold, and says how much they would', () => {
    const refused = planWav(CD, 2 ** 31);
    expect(refused).toEqual({ kind: 'too_large', mostSamples: 1_073_741_814 });
    const most = plan(CD, 1_073_741_814);
    expect(formatWavHeader(most).readUInt32LE(4)).toBe(most.lengthBytes - 8);
    expect(planWav(CD, 1_073_741_815).kind).toBe('too_large');
  });
});

describe('formatWavHeader()', () => {
  it('is the canonical 44 bytes', () => {
    expect(formatWavHeader(plan(CD, 1000)).toString('hex')).toBe(
      [
        ...['52494646', 'c40f0000', '57415645', '666d7420', '10000000', '0100', '0200'],
        ...['44ac0000', '10b10200', '0400', '1000', '64617461', 'a00f0000'],
      ].join(''),
    );
  });
});
