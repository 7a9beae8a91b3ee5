import { spawnSync } from 'node:child_process';
import { parseLoudnessSummary } from '../../src/audio/loudness-summary';

export interface MeasuredLoudness {
  readonly lufs: number;
  readonly peakDbtp: number;
}

/**
 * What ffmpeg's own meter finds; NaN where there is nothing.
 *
 * @param input a file, or the bytes of one
 * @param mix filters in front of the meter, with a comma at their end
 */
export function measureLoudness(input: string | Buffer, mix = ''): MeasuredLoudness {
  const isFile = typeof input === 'string';
  const filter = `${mix}ebur128=peak=true+sample:framelog=verbose`;
  const { stderr } = spawnSync(
    'ffmpeg',
    ['-nostats', '-i', isFile ? input : 'pipe:0', '-af', filter, '-f', 'null', '-'],
    isFile ? {} : { input },
  );
  const summary = parseLoudnessSummary(stderr.toString());
  return { lufs: summary?.integratedLufs ?? NaN, peakDbtp: summary?.truePeakDbtp ?? NaN };
}
