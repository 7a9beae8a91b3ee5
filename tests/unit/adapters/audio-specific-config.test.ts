import { parseAudioSpecificConfig } from '../../../src/adapters/tags/audio-specific-config';

describe('parseAudioSpecificConfig()', () => {
  it.each([
    ['AAC LC', '1210', 2, 44_100],
    ['AAC LC that says it has no SBR', '120856e500', 1, 44_100],
    ['a rate in full', '1780564108', 1, 44_162],
    ['eight channels as number 7', '11b8', 8, 48_000],
    ['HE-AAC', '2b920800', 2, 44_100],
    ['HE-AAC behind AAC LC', '139056e5a0', 2, 44_100],
    ['HE-AAC version 2', 'eb8a0800', 2, 44_100],
    ['HE-AAC version 2 behind AAC LC', '138856e5a54880', 2, 44_100],
    ['no channels and no elements', '1200', undefined, 44_100],
    ['nothing', '', undefined, undefined],
  ])('reads %s', (_, hex, channels, sampleRateHz) => {
    const found = parseAudioSpecificConfig(Buffer.from(hex, 'hex'));
    expect(found).toEqual({ channels, sampleRateHz });
  });
});
