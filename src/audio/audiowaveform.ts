import { Buffer } from 'node:buffer';
import { type Peaks } from './peaks';

/** One channel of peaks, as audiowaveform's formats describe it. */
export interface Waveform extends Peaks {
  readonly sampleRateHz: number;
  /** of one value; with 8 the 16-bit values are divided by 256, towards zero as audiowaveform does */
  readonly bits: 8 | 16;
}

/** A piece at a time: the whole text would be megabytes in one string. */
const VALUES_AT_ONCE = 16_384;
const VERSION = 2;
const CHANNELS = 1;
const HEADER_BYTES = 24;
const FLAG_8_BIT = 1;

/**
 * The JSON form, in pieces.
 *
 * @see audiowaveform doc/DataFormat.md
 */
export function* encodeJson(waveform: Waveform): Generator<Buffer> {
  const { sampleRateHz, samplesPerPixel, bits, values } = waveform;
  const head = JSON.stringify({
    version: VERSION,
    channels: CHANNELS,
    sample_rate: sampleRateHz,
    samples_per_pixel: samplesPerPixel,
    bits,
    length: values.length / 2,
  });
  yield Buffer.from(`${head.slice(0, -1)},"data":[`);
  let separator = '';
  for (const piece of pieces(waveform)) {
    yield Buffer.from(separator + piece.join(','));
    separator = ',';
  }
  yield Buffer.from(']}');
}

/** The binary form (`.dat`), in pieces. */
export function* encodeBinary(waveform: Waveform): Generator<Buffer> {
  const { sampleRateHz, samplesPerPixel, bits, values } = waveform;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeInt32LE(VERSION, 0);
  header.writeUInt32LE(bits === 8 ? FLAG_8_BIT : 0, 4);
  header.writeInt32LE(sampleRateHz, 8);
  header.writeInt32LE(samplesPerPixel, 12);
  header.writeUInt32LE(values.length / 2, 16);
  header.writeInt32LE(CHANNELS, 20);
  yield header;
  for (const { buffer, byteOffset, byteLength } of pieces(waveform)) {
    yield Buffer.from(buffer, byteOffset, byteLength);
  }
}

function* pieces({ values, bits }: Waveform): Generator<Int8Array | Int16Array> {
  for (let at = 0; at < values.length; at += VALUES_AT_ONCE) {
    const piece = values.subarray(at, at + VALUES_AT_ONCE);
    // a number that is put into an array of integers loses its fraction, so it goes towards zero
    yield bits === 8 ? Int8Array.from(piece, (value) => value / 256) : piece;
  }
}
