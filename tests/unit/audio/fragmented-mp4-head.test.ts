import { fragmentedHeadBytes, patchFragmentedHead } from '../../../src/audio/fragmented-mp4-head';
import { BOX_HEADER_BYTES, boxType, formatBox, splitBoxes } from '../../../src/audio/mp4-box';

const ftyp = formatBox('ftyp', [Buffer.from('iso5')]);
const moov = formatBox('moov', [
  formatBox('mvhd', [Buffer.alloc(100)]),
  formatBox('trak', [
    formatBox('tkhd', [Buffer.alloc(84)]),
    formatBox('edts', [formatBox('elst', [Buffer.alloc(20)])]),
    formatBox('mdia', [formatBox('mdhd', [Buffer.alloc(24)]), formatBox('minf', [])]),
  ]),
  formatBox('mvex', [formatBox('trex', [Buffer.alloc(24)])]),
  formatBox('udta', [Buffer.from('what ffmpeg says')]),
]);
const head = Buffer.concat([ftyp, moov]);

/** The only box with this path. */
function find(content: Buffer, path: string): Buffer {
  const [first, ...rest] = path.split('/');
  const found = splitBoxes(content).filter((box) => boxType(box) === first);
  expect(found).toHaveLength(1);
  const box = found[0]!;
  return rest.length === 0 ? box : find(box.subarray(BOX_HEADER_BYTES), rest.join('/'));
}

describe('fragmentedHeadBytes()', () => {
  it('is known as soon as the header of moov is there', () => {
    expect(fragmentedHeadBytes(head.subarray(0, ftyp.length + 8))).toBe(head.length);
    expect(fragmentedHeadBytes(head.subarray(0, ftyp.length + 7))).toBeUndefined();
    expect(fragmentedHeadBytes(Buffer.alloc(0))).toBeUndefined();
  });

  it('ends at nonsense', () => {
    expect(fragmentedHeadBytes(Buffer.alloc(100))).toBeUndefined();
  });
});

describe('patchFragmentedHead()', () => {
  const patched = patchFragmentedHead(head, { samples: 100_000, sampleRateHz: 44_100 });

  it('says the duration wherever a player may look', () => {
    expect(find(patched, 'moov/mvhd').readUInt32BE(20)).toBe(44_100);
    expect(find(patched, 'moov/mvhd').readUInt32BE(24)).toBe(100_000);
    expect(find(patched, 'moov/trak/tkhd').readUInt32BE(28)).toBe(100_000);
    expect(find(patched, 'moov/trak/edts/elst').readUInt32BE(16)).toBe(100_000);
    expect(find(patched, 'moov/trak/mdia/mdhd').readUInt32BE(24)).toBe(100_000);
    expect(find(patched, 'moov/mvex/mehd').readUInt32BE(12)).toBe(100_000);
  });

  it('replaces the tags by the one for gapless players', () => {
    const text = find(patched, 'moov/udta').toString('latin1');
    expect(text).not.toContain('what ffmpeg says');
    expect(text).toContain(' 00000000 00000400 00000160 00000000000186A0 00000000');
  });

  it('keeps all else', () => {
    expect(find(patched, 'ftyp')).toEqual(ftyp);
    expect(find(patched, 'moov/mvex/trex')).toEqual(find(head, 'moov/mvex/trex'));
  });

  it('counts milliseconds where 32 bits do not hold the samples', () => {
    const day = patchFragmentedHead(head, { samples: 4_800_000_000, sampleRateHz: 48_000 });
    expect(find(day, 'moov/mvhd').readUInt32BE(20)).toBe(1000);
    expect(find(day, 'moov/mvhd').readUInt32BE(24)).toBe(100_000_000);
    expect(find(day, 'moov/trak/mdia/mdhd').readUInt32BE(24)).toBe(0);
  });

  it('refuses a head that is cut or of another version', () => {
    const sound = { samples: 1, sampleRateHz: 44_100 };
    expect(() => patchFragmentedHead(head.subarray(0, -1), sound)).toThrow(RangeError);
    const other = Buffer.from(head);
    other[ftyp.length + 16] = 1;
    expect(() => patchFragmentedHead(other, sound)).toThrow(RangeError);
  });
});
