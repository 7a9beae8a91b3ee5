/** Sample rates that MPEG audio layer III has (MPEG-1, MPEG-2 and the common extension "2.5"). */
export const MP3_SAMPLE_RATES_HZ = [
  8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000,
] as const;

/** A sample rate of {@link MP3_SAMPLE_RATES_HZ}. */
export type Mp3SampleRateHz = (typeof MP3_SAMPLE_RATES_HZ)[number];

/**
 * The rate an MP3 of this source gets: its own where MP3 has it, 44.1 kHz for multiples of that,
 * else the next one above, at most 48 kHz.
 */
export function mp3SampleRate(sourceRateHz: number): Mp3SampleRateHz {
  // halving is cheaper than a ratio of 160:147 and keeps what the mastering studio chose
  if (sourceRateHz % 44_100 === 0) return 44_100;
  return MP3_SAMPLE_RATES_HZ.find((rate) => rate >= sourceRateHz) ?? 48_000;
}

/**
 * How many samples (per channel) a source has after resampling: to the nearest, halves up.
 *
 * Resamplers come out a few samples away from this; {@link forcedSamplesFilter} makes it true.
 *
 * @param samples of the source, per channel; exact up to 10 hours at 384 kHz and far beyond
 */
export function resampledCount(samples: number, fromHz: number, toHz: number): number {
  if (fromHz === toHz) return samples;
  const doubled = 2 * samples * toHz + fromHz;
  // by remainder: a quotient of that size in floating point may cross an integer
  return (doubled - (doubled % (2 * fromHz))) / (2 * fromHz);
}

/**
 * The filters after which the sound has this rate and these channels.
 *
 * By itself ffmpeg mixes six channels to two 7.5 dB louder where the samples are floating point, as
 * most decoders and encoders of lossy sound have them, and clips: so every mix is scaled as it
 * scales that of integers, where the loudest sound still fits.
 *
 * @param sampleRateHz undefined: that of the source
 */
export function mixFilter(channels: 1 | 2, sampleRateHz?: number): string {
  const rate = sampleRateHz === undefined ? '' : `${sampleRateHz}:`;
  const layout = channels === 1 ? 'mono' : 'stereo';
  return `aresample=${rate}rematrix_maxval=1,aformat=channel_layouts=${layout}`;
}

/** What {@link forcedSamplesFilter} forces. */
export interface ForcedForm {
  /** per channel, after resampling; 1 or more */
  readonly samples: number;
  readonly sampleRateHz: number;
  readonly channels: 1 | 2;
}

/**
 * The filter graph (`-af`) after which exactly `samples` samples reach the encoder: what the source
 * lacks is silence, what it has too much is cut. So a length can be promised of a source whose own
 * header lies. Of a source in which nothing can be decoded nothing comes, rather than silence.
 */
export function forcedSamplesFilter({ samples, sampleRateHz, channels }: ForcedForm): string {
  return [
    // before the count is forced: a conversion that ffmpeg adds by itself would come after it
    mixFilter(channels, sampleRateHz),
    // from 0, or an Ogg would be longer by what WMA and WebM begin late
    'asetpts=N/SR/TB',
    `apad=whole_len=${samples}`,
    // silence has a time only where sound came before it
    'aselect=not(isnan(pts))',
    `atrim=end_sample=${samples}`,
  ].join(',');
}
