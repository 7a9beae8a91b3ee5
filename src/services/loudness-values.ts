import { z } from 'zod';
import { type LoudnessSummary } from '../audio/loudness-summary';

const decibels = z.number().min(-200).max(200).nullable();

/** What the API answers about loudness; null for what silence has none of. */
export const loudnessSchema = z
  .strictObject({
    integratedLufs: decibels.describe(
      'in LUFS; null where nothing is louder than -70 LUFS, or long enough (0.4 s)',
    ),
    rangeLu: decibels.describe('in LU; null as above'),
    truePeakDbtp: decibels.describe('in dBTP; null for digital silence'),
    replayGain: z
      .strictObject({
        trackGainDb: decibels.describe('dB to -18 LUFS; null as integratedLufs'),
        trackPeak: z
          .number()
          .min(0)
          .describe('highest sample, 1 is full scale; 0 for digital silence'),
      })
      .readonly(),
  })
  .readonly();

export type Loudness = z.infer<typeof loudnessSchema>;

/** @see ReplayGain 2.0 specification */
const REPLAY_GAIN_LUFS = -18;

export function describeLoudness(summary: LoudnessSummary): Loudness {
  const { integratedLufs, rangeLu, truePeakDbtp, samplePeakDbfs } = summary;
  return {
    integratedLufs,
    rangeLu,
    truePeakDbtp,
    replayGain: {
      trackGainDb: integratedLufs === null ? null : round(REPLAY_GAIN_LUFS - integratedLufs, 1),
      trackPeak: samplePeakDbfs === null ? 0 : round(10 ** (samplePeakDbfs / 20), 4),
    },
  };
}

/** As decimals, without what is left of binary fractions. */
function round(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
