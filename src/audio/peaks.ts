import { Buffer } from 'node:buffer';

/** The lowest and highest sample of each stretch of a signal. */
export interface Peaks {
  /** of one pixel; a multiple of what was asked for where that would have been too many pixels */
  readonly samplesPerPixel: number;
  /** lowest and highest of each pixel in turn, 16 bits; the last pixel may be of fewer samples */
  readonly values: Int16Array;
}

export interface PeaksOptions {
  readonly samplesPerPixel: number;
  /** even; each time there would be more, two pixels become one, so memory has a bound */
  readonly mostPixels: number;
}

/** Folds a signal of any length, piece by piece. */
export interface PeakFolder {
  /** @param chunk 16-bit little-endian samples; a sample may be cut in two by the end of a chunk */
  push(chunk: Buffer): void;
  /** Nothing may be pushed any more. */
  finish(): Peaks;
}

const FIRST_CAPACITY = 2_048;

export function createPeakFolder({ samplesPerPixel, mostPixels }: PeaksOptions): PeakFolder {
  const readSamples = createSampleReader();
  let values = new Int16Array(FIRST_CAPACITY);
  let pixels = 0;
  let perPixel = samplesPerPixel;
  let pixel = emptyPixel();

  const halve = (): void => {
    pixels /= 2;
    perPixel *= 2;
    for (let i = 0; i < pixels; i += 1) {
      values[2 * i] = Math.min(values[4 * i] ?? 0, values[4 * i + 2] ?? 0);
      values[2 * i + 1] = Math.max(values[4 * i + 1] ?? 0, values[4 * i + 3] ?? 0);
    }
  };

  const endPixel = (): void => {
    if (2 * pixels === values.length) {
      const larger = new Int16Array(2 * values.length);
      larger.set(values);
      values = larger;
    }
    values[2 * pixels] = pixel.lowest;
    values[2 * pixels + 1] = pixel.highest;
    pixels += 1;
    pixel = emptyPixel();
  };

  return {
    push(chunk) {
      const samples = readSamples(chunk);
      for (let at = 0; at < samples.length;) {
        // between two pixels only, so that none is half of one width and half of another
        if (pixel.samples === 0 && pixels === mostPixels) halve();
        const end = Math.min(samples.length, at + perPixel - pixel.samples);
        widen(pixel, samples, at, end);
        if (pixel.samples === perPixel) endPixel();
        at = end;
      }
    },
    finish() {
      if (pixel.samples > 0) endPixel();
      return { samplesPerPixel: perPixel, values: values.subarray(0, 2 * pixels) };
    },
  };
}

interface Pixel {
  lowest: number;
  highest: number;
  samples: number;
}

function emptyPixel(): Pixel {
  return { lowest: 32_767, highest: -32_768, samples: 0 };
}

/** The one loop that sees every sample: on numbers of its own, it takes a nanosecond for each. */
function widen(pixel: Pixel, samples: Int16Array, from: number, to: number): void {
  let { lowest, highest } = pixel;
  for (let i = from; i < to; i += 1) {
    const sample = samples[i] ?? 0;
    if (sample < lowest) lowest = sample;
    if (sample > highest) highest = sample;
  }
  pixel.lowest = lowest;
  pixel.highest = highest;
  pixel.samples += to - from;
}

/** Whole samples of chunks that end anywhere; Node runs on little-endian machines. */
function createSampleReader(): (chunk: Buffer) => Int16Array {
  let half = Buffer.alloc(0);
  return (chunk) => {
    const isAligned = half.length === 0 && chunk.byteOffset % 2 === 0;
    const bytes = isAligned ? chunk : alignedCopy([half, chunk]);
    const count = Math.floor(bytes.length / 2);
    half = Buffer.from(bytes.subarray(2 * count));
    return new Int16Array(bytes.buffer, bytes.byteOffset, count);
  };
}

function alignedCopy(parts: readonly Buffer[]): Buffer {
  // memory of its own starts at 0
  const copy = Buffer.alloc(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) at += part.copy(copy, at);
  return copy;
}
