import fc from 'fast-check';
import { createPeakFolder, type Peaks } from '../../../src/audio/peaks';

function toBytes(samples: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * samples.length);
  samples.forEach((sample, i) => bytes.writeInt16LE(sample, 2 * i));
  return bytes;
}

/** As somebody would who has all samples at once. */
function foldAtOnce(samples: readonly number[], samplesPerPixel: number): number[] {
  const values: number[] = [];
  for (let at = 0; at < samples.length; at += samplesPerPixel) {
    const pixel = samples.slice(at, at + samplesPerPixel);
    values.push(Math.min(...pixel), Math.max(...pixel));
  }
  return values;
}

/** @param cuts where the bytes are cut into chunks */
function fold(
  bytes: Buffer,
  cuts: readonly number[],
  options: { samplesPerPixel: number; mostPixels: number },
): Peaks {
  const folder = createPeakFolder(options);
  const positions = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let at = 0;
  for (const position of [...positions, bytes.length]) {
    folder.push(bytes.subarray(at, position));
    at = position;
  }
  return folder.finish();
}

describe('createPeakFolder()', () => {
  const sample = fc.integer({ min: -32_768, max: 32_767 });

  it('finds what a look at all samples finds, wherever the chunks end', () => {
    fc.assert(
      fc.property(
        fc.array(sample, { maxLength: 5_000, size: 'max' }),
        fc.array(fc.nat(), { maxLength: 20 }),
        fc.integer({ min: 2, max: 700 }),
        (samples, cuts, samplesPerPixel) => {
          const peaks = fold(toBytes(samples), cuts, { samplesPerPixel, mostPixels: 1_000_000 });
          expect(peaks.samplesPerPixel).toBe(samplesPerPixel);
          expect([...peaks.values]).toEqual(foldAtOnce(samples, samplesPerPixel));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('doubles the width of a pixel until there are no more than allowed', () => {
    fc.assert(
      fc.property(
        fc.array(sample, { minLength: 1, maxLength: 5_000, size: 'max' }),
        fc.array(fc.nat(), { maxLength: 20 }),
        fc.integer({ min: 2, max: 9 }),
        fc.integer({ min: 1, max: 40 }),
        (samples, cuts, samplesPerPixel, halfOfMost) => {
          const mostPixels = 2 * halfOfMost;
          const peaks = fold(toBytes(samples), cuts, { samplesPerPixel, mostPixels });
          let expected = samplesPerPixel;
          while (Math.ceil(samples.length / expected) > mostPixels) expected *= 2;
          expect(peaks.samplesPerPixel).toBe(expected);
          expect([...peaks.values]).toEqual(foldAtOnce(samples, expected));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('has no pixels of nothing, or of half a sample', () => {
    const options = { samplesPerPixel: 2, mostPixels: 2 };
    expect(createPeakFolder(options).finish().values).toHaveLength(0);
    const folder = createPeakFolder(options);
    folder.push(Buffer.from([1]));
    expect(folder.finish().values).toHaveLength(0);
  });

  it('takes no more memory for an hour than for a minute', () => {
    const second = Buffer.alloc(2 * 48_000, 1);
    const folder = createPeakFolder({ samplesPerPixel: 2, mostPixels: 65_536 });
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 3_600; i += 1) folder.push(second);
    const { values } = folder.finish();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
    expect(values.length).toBeLessThanOrEqual(2 * 65_536);
    expect(values.length).toBeGreaterThan(65_536);
  });
});
