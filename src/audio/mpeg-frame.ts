import { MP3_SAMPLE_RATES_HZ, type Mp3SampleRateHz } from './sample-count';

const MPEG1_KBPS = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const MPEG2_KBPS = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/** The form of every frame of a constant bit rate layer III stream. */
export interface Mp3Form {
  readonly sampleRateHz: Mp3SampleRateHz;
  readonly channels: 1 | 2;
  /** kbit/s; one of {@link mp3BitRates} for the sample rate */
  readonly bitRateKbps: number;
}

/** MPEG-1 has the rates from 32 kHz on; MPEG-2 and "2.5" below have half as many samples per frame. */
function isMpeg1({ sampleRateHz }: Pick<Mp3Form, 'sampleRateHz'>): boolean {
  return sampleRateHz >= 32_000;
}

/** Samples (per channel) in one frame. */
export function samplesPerFrame(form: Pick<Mp3Form, 'sampleRateHz'>): number {
  return isMpeg1(form) ? 1152 : 576;
}

/**
 * The bit rates in kbit/s that a sample rate can have, ascending.
 *
 * MPEG "2.5" ends at 64: the table goes on, but LAME makes 64 of anything above.
 */
export function mp3BitRates(sampleRateHz: Mp3SampleRateHz): readonly number[] {
  if (sampleRateHz >= 32_000) return MPEG1_KBPS;
  return sampleRateHz >= 16_000 ? MPEG2_KBPS : MPEG2_KBPS.filter((rate) => rate <= 64);
}

/**
 * The four bytes in front of a frame without checksum and padding.
 *
 * @throws RangeError when layer III has no such bit rate at this sample rate
 * @see ISO/IEC 11172-3 §2.4.1.3, ISO/IEC 13818-3 §2.4.2.3
 */
export function formatFrameHeader(form: Mp3Form): readonly [number, number, number, number] {
  const bitRateIndex = mp3BitRates(form.sampleRateHz).indexOf(form.bitRateKbps) + 1;
  if (bitRateIndex === 0) {
    throw new RangeError(`no ${form.bitRateKbps} kbit/s at ${form.sampleRateHz} Hz in MP3`);
  }
  const version = isMpeg1(form) ? 0b11 : form.sampleRateHz >= 16_000 ? 0b10 : 0b00;
  const family = MP3_SAMPLE_RATES_HZ.indexOf(form.sampleRateHz) % 3;
  // ascending we have 32, 44.1, 48; the field counts 44.1, 48, 32
  const rateIndex = (family + 2) % 3;
  // joint stereo or one channel, marked as an original like LAME's own frames
  const mode = form.channels === 1 ? 0b11 : 0b01;
  return [
    0xff,
    0xe0 | (version << 3) | (0b01 << 1) | 1,
    (bitRateIndex << 4) | (rateIndex << 2),
    (mode << 6) | 0b100,
  ];
}

/** Bytes of side information after the header of a frame. */
export function sideInformationBytes(form: Mp3Form): number {
  if (isMpeg1(form)) return form.channels === 1 ? 17 : 32;
  return form.channels === 1 ? 9 : 17;
}

/** Bytes of a frame without padding. */
export function nominalFrameBytes(form: Mp3Form): number {
  return Math.floor(((samplesPerFrame(form) / 8) * form.bitRateKbps * 1000) / form.sampleRateHz);
}
