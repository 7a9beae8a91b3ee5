import WaveformData from 'waveform-data';
import { encodeBinary, encodeJson, type Waveform } from '../../../src/audio/audiowaveform';

const example: Waveform = {
  sampleRateHz: 44_100,
  samplesPerPixel: 2_205,
  bits: 16,
  values: Int16Array.of(-32_768, 32_767, -255, 255, -256, 256),
};

function many(pixels: number, bits: 8 | 16): Waveform {
  const values = Int16Array.from({ length: 2 * pixels }, (_, i) => (i * 7_919) % 32_768);
  return { ...example, bits, values };
}

function join(pieces: Iterable<Buffer>): Buffer {
  return Buffer.concat([...pieces]);
}

function toArrayBuffer(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

describe('encodeJson()', () => {
  it('writes the fields of version 2 in the order of audiowaveform', () => {
    expect(join(encodeJson(example)).toString()).toBe(
      '{"version":2,"channels":1,"sample_rate":44100,"samples_per_pixel":2205,"bits":16,' +
        '"length":3,"data":[-32768,32767,-255,255,-256,256]}',
    );
  });

  it('divides by 256 towards zero for 8 bits', () => {
    const { data } = JSON.parse(join(encodeJson({ ...example, bits: 8 })).toString()) as {
      data: number[];
    };
    expect(data.map((value) => value + 0)).toEqual([-128, 127, 0, 0, -1, 1]);
  });

  it('is valid without a pixel', () => {
    const text = join(encodeJson({ ...example, values: new Int16Array() })).toString();
    expect(JSON.parse(text)).toMatchObject({ length: 0, data: [] });
  });
});

describe('encodeBinary()', () => {
  it('writes a header of 24 bytes in front of little-endian values', () => {
    expect(join(encodeBinary(example)).toString('hex')).toBe(
      ['02000000', '00000000', '44ac0000', '9d080000', '03000000', '01000000'].join('') +
        ['0080', 'ff7f', '01ff', 'ff00', '00ff', '0001'].join(''),
    );
  });

  it('says in its flags that values have 8 bits', () => {
    const bytes = join(encodeBinary({ ...example, bits: 8 }));
    expect(bytes.subarray(4, 8).toString('hex')).toBe('01000000');
    expect(bytes.subarray(24).toString('hex')).toBe('807f0000ff01');
  });
});

describe.each([8, 16] as const)('both forms with %i bits', (bits) => {
  it.each([1, 8_191, 8_192, 8_193, 30_000])('say the same of %i pixels', (pixels) => {
    const waveform = many(pixels, bits);
    const fromJson = WaveformData.create(
      JSON.parse(join(encodeJson(waveform)).toString()) as Parameters<
        typeof WaveformData.create
      >[0],
    );
    const fromBinary = WaveformData.create(toArrayBuffer(join(encodeBinary(waveform))));
    for (const read of [fromJson, fromBinary]) {
      expect(read).toMatchObject({ length: pixels, channels: 1, bits, sample_rate: 44_100 });
      const values = waveform.values.map((value) => (bits === 8 ? Math.trunc(value / 256) : value));
      expect(read.channel(0).min_array()).toEqual([...values].filter((_, i) => i % 2 === 0));
      expect(read.channel(0).max_array()).toEqual([...values].filter((_, i) => i % 2 === 1));
    }
  });
});
