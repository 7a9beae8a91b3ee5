import { infoFrameBytes } from './mp3-info-frame';
import { mp3BitRates, samplesPerFrame, type Mp3Form } from './mpeg-frame';

/** LAME's delay; players add 529 of their own decoder. */
const ENCODER_DELAY_SAMPLES = 576;

/** What LAME needs after the last sample, so that a decoder can give all of them. */
const LEAST_PADDING_SAMPLES = 576;

/**
 * A constant bit rate MP3 known before it is encoded: our header frame, then the frames of
 * libmp3lame with `-reservoir 0 -write_xing 0 -id3v2_version 0`.
 */
export interface Mp3Layout extends Mp3Form {
  /** per channel, as fed into the encoder */
  readonly samples: number;
  readonly samplesPerFrame: number;
  /** audio frames, the header frame not counted */
  readonly frameCount: number;
  readonly headerBytes: number;
  /** header frame and all audio frames */
  readonly lengthBytes: number;
  readonly encoderDelaySamples: number;
  readonly encoderPaddingSamples: number;
}

/**
 * Lays out an MP3.
 *
 * LAME fills its last frame so far that at least 576 samples follow the last one of the source.
 *
 * @param samples per channel and in the output's rate, exactly as many as the encoder will get
 * @throws RangeError when MP3 has no such form, or `samples` is no integer above 0
 */
export function planMp3(form: Mp3Form, samples: number): Mp3Layout {
  if (!Number.isSafeInteger(samples) || samples < 1)
    throw new RangeError('samples must be 1 or more');
  if (!mp3BitRates(form.sampleRateHz).includes(form.bitRateKbps)) {
    throw new RangeError(`no ${form.bitRateKbps} kbit/s at ${form.sampleRateHz} Hz in MP3`);
  }
  const perFrame = samplesPerFrame(form);
  const needed = ENCODER_DELAY_SAMPLES + samples + LEAST_PADDING_SAMPLES;
  const frameCount = Math.ceil(needed / perFrame);
  const headerBytes = infoFrameBytes(form);
  const { sampleRateHz, channels, bitRateKbps } = form;
  return {
    sampleRateHz,
    channels,
    bitRateKbps,
    samples,
    samplesPerFrame: perFrame,
    frameCount,
    headerBytes,
    lengthBytes: headerBytes + bytesOfFrames(form, frameCount),
    encoderDelaySamples: ENCODER_DELAY_SAMPLES,
    encoderPaddingSamples: frameCount * perFrame - ENCODER_DELAY_SAMPLES - samples,
  };
}

/**
 * Where an audio frame begins in the file.
 *
 * @param frame from 0; `frameCount` gives the end of the file
 */
export function frameOffset(layout: Mp3Layout, frame: number): number {
  return layout.headerBytes + bytesOfFrames(layout, frame);
}

/** How long an audio frame is; those with a padding byte are one longer. */
export function frameBytes(layout: Mp3Layout, frame: number): number {
  return bytesOfFrames(layout, frame + 1) - bytesOfFrames(layout, frame);
}

/**
 * The audio frame that has the byte at this offset.
 *
 * @returns undefined for a byte of the header frame
 * @throws RangeError for an offset outside the file
 */
export function frameAt(layout: Mp3Layout, offset: number): number | undefined {
  if (offset < 0 || offset >= layout.lengthBytes)
    throw new RangeError('offset is outside the file');
  if (offset < layout.headerBytes) return undefined;
  const { bits, rate } = bytesPerFrame(layout);
  let frame = Math.floor(((offset - layout.headerBytes) * rate) / bits);
  // padding comes late by less than two bytes, so the guess is off by one at most
  while (frameOffset(layout, frame) > offset) frame--;
  while (frameOffset(layout, frame + 1) <= offset) frame++;
  return frame;
}

/**
 * Bytes of the first `count` audio frames.
 *
 * LAME subtracts the fraction that a frame lacks from a lag that starts at exactly one frame's
 * fraction, and pads when it falls below 0 (`lame_encode_mp3_frame`): so the first frame is never
 * padded, and one frame later than a running sum would have it, each byte is made up for.
 */
function bytesOfFrames(form: Mp3Form, count: number): number {
  const { bits, rate } = bytesPerFrame(form);
  const fraction = bits % rate;
  const padded = count === 0 ? 0 : Math.ceil(((count - 1) * fraction) / rate);
  return count * Math.floor(bits / rate) + padded;
}

/** The length of a frame in bytes as the fraction bits / rate. */
function bytesPerFrame(form: Mp3Form): { readonly bits: number; readonly rate: number } {
  return { bits: (samplesPerFrame(form) / 8) * form.bitRateKbps * 1000, rate: form.sampleRateHz };
}
