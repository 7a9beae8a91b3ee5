import { mixFilter } from './sample-count';

/** How the sound of a track is made louder or softer. */
export interface LevelChange {
  readonly gainDb: number;
  /** dBTP of what reaches {@link levelFilter}, measured of the same mix */
  readonly truePeakDbtp: number;
  /** of the transcode */
  readonly sampleRateHz: number;
  readonly channels: 1 | 2;
}

/** What an encoder does to the level. */
export interface EncoderLevel {
  /** by how much peaks of the decoded sound may be above those that were encoded */
  readonly overshootDb: number;
  /** by how much it makes all sound softer */
  readonly lossDb: number;
}

/** dBTP that no change of level may exceed. */
export const TRUE_PEAK_LIMIT_DBTP = -1;

/**
 * By kbit/s, worst of bursts of square waves and clipped noise, clicks and sudden tones, measured with
 * ffmpeg 5.1 and rounded up: tests/integration/true-peaks.test.ts decodes all of them.
 */
const OVERSHOOT_DB: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  mp3: { 64: 4.5, 96: 4.5, 128: 4.5, 160: 4.5, 192: 2.5, 256: 2, 320: 1.5 },
  aac: { 64: 7.5, 96: 7.5, 128: 6, 160: 4.5, 192: 4.5, 256: 5 },
  opus: { 32: 8.5, 48: 6.5, 64: 5, 96: 4.5, 128: 4, 160: 2.5, 192: 2, 256: 1.5 },
};

/** LAME multiplies all samples by 0.95 up to 160 kbit/s, by 0.97 at 192 (its presets.c), by 1 above. */
function lameLossDb(bitRateKbps: number): number {
  if (bitRateKbps > 192) return 0;
  return bitRateKbps > 160 ? 0.26 : 0.45;
}

/** @param bitRateKbps undefined for what is lossless, which changes nothing */
export function encoderLevel(
  format: string,
  bitRateKbps: number | undefined,
  channels: 1 | 2,
): EncoderLevel {
  // one channel of AAC alone is as each of two at twice the rate
  const ofTwo = (bitRateKbps ?? 0) * (format === 'aac' && channels === 1 ? 2 : 1);
  const rates = OVERSHOOT_DB[format] ?? {};
  const overshootDb = rates[ofTwo] ?? rates[bitRateKbps ?? 0] ?? 0;
  return { overshootDb, lossDb: format === 'mp3' ? lameLossDb(bitRateKbps ?? 0) : 0 };
}

/** So many samples for each one, or peaks between samples are missed. */
const OVERSAMPLING = 4;
const ATTACK_SECONDS = 0.005;
const RELEASE_MS = 50;

/**
 * The filter that changes the level before the sound is encoded: the gain, and where what is decoded
 * might have peaks above {@link TRUE_PEAK_LIMIT_DBTP}, a limiter for those. It looks ahead, and gives
 * the delay of that back.
 */
export function levelFilter(change: LevelChange, encoder: EncoderLevel): string {
  const { gainDb, truePeakDbtp, sampleRateHz, channels } = change;
  const volume = `volume=${(gainDb + encoder.lossDb).toFixed(2)}dB`;
  const ceilingDb = TRUE_PEAK_LIMIT_DBTP - encoder.overshootDb;
  if (encoder.overshootDb === 0 || truePeakDbtp + gainDb <= ceilingDb) return volume;
  const rateHz = sampleRateHz * OVERSAMPLING;
  const delay = Math.floor(rateHz * ATTACK_SECONDS) - 1;
  const limit = 10 ** ((ceilingDb + encoder.lossDb) / 20);
  return [
    volume,
    mixFilter(channels, rateHz),
    `apad=pad_len=${delay}`,
    // silence has a time only where sound came before it
    'aselect=not(isnan(pts))',
    `alimiter=limit=${limit.toFixed(4)}:level=0:attack=${ATTACK_SECONDS * 1000}:release=${RELEASE_MS}`,
    `atrim=start_sample=${delay}`,
  ].join(',');
}
