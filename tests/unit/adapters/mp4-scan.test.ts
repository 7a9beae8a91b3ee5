import { createBufferedSource } from '../../../src/adapters/tags/byte-source';
import { type Mp4Facts } from '../../../src/adapters/tags/mp4-movie';
import { scanMp4 } from '../../../src/adapters/tags/mp4-scan';
import { PictureLog } from '../../../src/adapters/tags/picture-scan';

const LC_MONO = '1208';

describe('scanMp4()', () => {
  it('adds up the edits that play something, none of them longer than what there is', async () => {
    // half a second of silence, a second from 1000, and more than the two seconds there are
    const elst = words(0, 3, 500, -1, 0x10000, 1000, 1000, 0x10000, 9000, 44_100, 0x10000);
    expect((await scan({ elst })).durationSeconds).toBe(2);
  });

  it.each([
    ['no edits', words(0, 0), 2],
    ['an edit of no length, which plays all', words(0, 1, 0, 44_100, 0x10000), 1],
    ['only silence', words(0, 1, 500, -1, 0x10000), 2],
    ['4,294,967,295 edits', words(0, 0xffffffff), 2],
    ['a cut edit', words(0, 1, 500), 2],
    ['edits of 64 bits', words(0x01000000, 1, 0, 1500, 0, 0, 0x10000), 1.5],
  ])('measures a track with %s', async (_, elst, seconds) => {
    expect((await scan({ elst })).durationSeconds).toBe(seconds);
  });

  it.each([
    ['its configuration says', esds(LC_MONO), 1],
    ['an ES descriptor with all its options says', esds(LC_MONO, 'e00001026162ffff'), 1],
    ['the entry says, when the configuration is of MPEG layers', esds(LC_MONO, '00', 0x6b), 2],
    ['the entry says, when the configuration is cut', box('esds', words(0)), 2],
    ['the entry says, when there is no configuration', Buffer.alloc(0), 2],
    ['a wave atom says', box('wave', Buffer.concat([box('frma'), esds(LC_MONO)])), 1],
  ])('finds as many channels as %s', async (_, config, channels) => {
    expect((await scan({ config })).channels).toBe(channels);
  });

  it('knows the fields of a QuickTime description of version 2', async () => {
    const fields = Buffer.alloc(64);
    fields.writeUInt16BE(2, 8);
    fields.writeDoubleBE(192_000, 32);
    fields.writeUInt32BE(12, 40);
    expect(await scan({ fields })).toMatchObject({ channels: 12, sampleRateHz: 192_000 });
  });

  it('says nothing of a movie without sound, or with a clock that stands still', async () => {
    expect(await scan({ handler: 'vide' })).toEqual({});
    expect((await scan({ mdhd: words(0, 0, 0, 0, 88_200) })).durationSeconds).toBeUndefined();
    expect((await scan({ mdhd: words(0) })).durationSeconds).toBeUndefined();
  });
});

interface Movie {
  readonly elst?: Buffer;
  readonly mdhd?: Buffer;
  readonly config?: Buffer;
  readonly fields?: Buffer;
  readonly handler?: string;
}

/** Two seconds at 44,100 Hz, in a movie that counts milliseconds. */
async function scan(movie: Movie): Promise<Mp4Facts> {
  const { elst, mdhd = words(0, 0, 0, 44_100, 88_200), handler = 'soun' } = movie;
  const entry = box('mp4a', movie.fields ?? stereoFields(), movie.config ?? Buffer.alloc(0));
  const stbl = box('stbl', box('stsd', words(0, 1), entry));
  const hdlr = box('hdlr', words(0, 0), Buffer.from(handler), words(0, 0, 0));
  const mdia = box('mdia', box('mdhd', mdhd), hdlr, box('minf', stbl));
  const edts = elst ? box('edts', box('elst', elst)) : Buffer.alloc(0);
  const mvhd = box('mvhd', words(0, 0, 0, 1000, 2000));
  const content = box('moov', mvhd, box('trak', edts, mdia));
  const source = createBufferedSource(content.length, (position, lengthBytes) =>
    Promise.resolve(content.subarray(position, position + lengthBytes)),
  );
  return scanMp4(source, new PictureLog());
}

function stereoFields(): Buffer {
  const fields = Buffer.alloc(28);
  fields.writeUInt16BE(2, 16);
  fields.writeUInt16BE(44_100, 24);
  return fields;
}

/** @param flags of the ES descriptor, and the options they announce, in hex */
function esds(config: string, flags = '00', objectType = 0x40): Buffer {
  const specific = descriptor(5, Buffer.from(config, 'hex'));
  const decoder = descriptor(4, Buffer.from([objectType]), Buffer.alloc(12), specific);
  return box('esds', words(0), descriptor(3, Buffer.from(`0000${flags}`, 'hex'), decoder));
}

function descriptor(tag: number, ...content: readonly Buffer[]): Buffer {
  const whole = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag, 0x80, 0x80, 0x80, whole.length]), whole]);
}

function box(name: string, ...content: readonly Buffer[]): Buffer {
  const whole = Buffer.concat(content);
  return Buffer.concat([words(whole.length + 8), Buffer.from(name), whole]);
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4);
  return bytes;
}
