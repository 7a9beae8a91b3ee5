/** What the filter `ebur128` says at its end; null for what it found nothing to measure for. */
export interface LoudnessSummary {
  /** LUFS, with one decimal */
  readonly integratedLufs: number | null;
  /** LU, with one decimal */
  readonly rangeLu: number | null;
  /** dBTP, with one decimal; null for digital silence */
  readonly truePeakDbtp: number | null;
  /** dBFS, with one decimal; null for digital silence */
  readonly samplePeakDbfs: number | null;
}

/** Below it EBU R128 counts nothing, and the filter answers with it when there was nothing else. */
const ABSOLUTE_GATE_LUFS = -70;

/**
 * Reads the summary at the end of what ffmpeg said.
 *
 * @param log tags of the track stand in it too, but always before
 * @returns undefined when there is no whole summary
 * @see EBU Tech 3341 (integrated loudness), 3342 (range); the words are those of ffmpeg 4.1 to 8
 */
export function parseLoudnessSummary(log: string): LoudnessSummary | undefined {
  const start = log.lastIndexOf('Summary:');
  const summary = start < 0 ? '' : log.slice(start);
  const integrated = readValue(summary, /Integrated loudness:\s+I:\s+(\S+) LUFS/);
  const range = readValue(summary, /Loudness range:\s+LRA:\s+(\S+) LU/);
  const samplePeak = readValue(summary, /Sample peak:\s+Peak:\s+(\S+) dBFS/);
  const truePeak = readValue(summary, /True peak:\s+Peak:\s+(\S+) dBFS/);
  if (integrated === undefined || range === undefined) return undefined;
  if (samplePeak === undefined || truePeak === undefined) return undefined;

  const isMeasured = integrated !== null && integrated > ABSOLUTE_GATE_LUFS;
  return {
    integratedLufs: isMeasured ? integrated : null,
    rangeLu: isMeasured ? range : null,
    truePeakDbtp: truePeak,
    samplePeakDbfs: samplePeak,
  };
}

/** @returns null for `-inf` and `nan`; undefined when it is not there, or no number */
function readValue(summary: string, pattern: RegExp): number | null | undefined {
  const word = pattern.exec(summary)?.[1];
  if (word === undefined) return undefined;
  if (/^-?(?:inf|nan)$/.test(word)) return null;
  return /^-?\d+(?:\.\d+)?$/.test(word) ? Number(word) : undefined;
}
