import {
  createBufferedSource,
  createEditedSource,
  ReadLimitError,
} from '../../../src/adapters/tags/byte-source';
import { RangeTokenizer } from '../../../src/adapters/tags/range-tokenizer';

const KIB = 1024;

/** Byte i is a function of i, so that a wrong offset shows itself. */
function patterned(sizeBytes: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
}

function createRecorder(content: Buffer) {
  const fetches: { readonly position: number; readonly lengthBytes: number }[] = [];
  const fetchBytes = (position: number, lengthBytes: number): Promise<Uint8Array> => {
    fetches.push({ position, lengthBytes });
    return Promise.resolve(content.subarray(position, position + lengthBytes));
  };
  return { fetches, fetchBytes };
}

describe('createBufferedSource()', () => {
  const content = patterned(1000 * KIB);

  it('answers small reads from blocks read ahead, which grow while the reading goes on', async () => {
    const { fetches, fetchBytes } = createRecorder(content);
    const source = createBufferedSource(content.length, fetchBytes);
    for (let position = 0; position < 200 * KIB; position += 100) {
      expect(await source.read(position, 100)).toEqual(content.subarray(position, position + 100));
    }
    expect(fetches.map(({ lengthBytes }) => lengthBytes / KIB)).toEqual([4, 16, 64, 256]);
  });

  it('reads little after a jump', async () => {
    const { fetches, fetchBytes } = createRecorder(content);
    const source = createBufferedSource(content.length, fetchBytes);
    for (let position = 0; position < content.length; position += 100 * KIB) {
      await source.read(position, 10);
    }
    expect(fetches.every(({ lengthBytes }) => lengthBytes === 4 * KIB)).toBe(true);
  });

  it('never asks beyond the end, and answers fewer bytes there', async () => {
    const { fetches, fetchBytes } = createRecorder(content);
    const source = createBufferedSource(content.length, fetchBytes);
    expect(await source.read(content.length - 3, 10)).toEqual(content.subarray(-3));
    expect(await source.read(content.length + 5, 10)).toHaveLength(0);
    expect(fetches).toEqual([{ position: content.length - 3, lengthBytes: 3 }]);
  });

  it('joins a read that begins in a known block and ends outside of it', async () => {
    const { fetchBytes } = createRecorder(content);
    const source = createBufferedSource(content.length, fetchBytes);
    await source.read(0, 10);
    const bytes = await source.read(4 * KIB - 5, 600 * KIB);
    expect(bytes.equals(content.subarray(4 * KIB - 5, 604 * KIB - 5))).toBe(true);
  });

  it.each([
    ['one read is too long', 101, 1],
    ['all reads together are too long', 80, 4],
  ])('refuses when %s', async (_, lengthBytes, reads) => {
    const { fetchBytes } = createRecorder(content);
    const limits = { singleReadBytes: 100, totalBytes: 12 * KIB };
    const source = createBufferedSource(content.length, fetchBytes, limits);
    const reading = async (): Promise<void> => {
      for (let i = 0; i < reads; i += 1) await source.read(i * 50 * KIB, lengthBytes);
    };
    await expect(reading()).rejects.toThrow(ReadLimitError);
  });
});

describe('createEditedSource()', () => {
  it('makes cuts, replacements and insertions, at any offset of a read', async () => {
    const content = patterned(400);
    const source = createBufferedSource(content.length, createRecorder(content).fetchBytes);
    const edited = createEditedSource(source, [
      { position: 300, removeBytes: 100, insert: Buffer.alloc(0) },
      { position: 10, removeBytes: 4, insert: Buffer.from('abcd') },
      { position: 14, removeBytes: 100, insert: Buffer.alloc(0) },
      { position: 200, removeBytes: 0, insert: Buffer.from('more') },
    ]);
    const expected = Buffer.concat([
      content.subarray(0, 10),
      Buffer.from('abcd'),
      content.subarray(114, 200),
      Buffer.from('more'),
      content.subarray(200, 300),
    ]);
    expect(edited.sizeBytes).toBe(expected.length);
    for (let position = 0; position <= expected.length; position += 1) {
      const bytes = await edited.read(position, 25);
      expect(bytes).toEqual(expected.subarray(position, position + 25));
    }
  });

  it('never reads what is cut out', async () => {
    const content = patterned(300 * KIB);
    const { fetches, fetchBytes } = createRecorder(content);
    const source = createBufferedSource(content.length, fetchBytes);
    const cut = { position: 10, removeBytes: 250 * KIB, insert: Buffer.alloc(0) };
    const bytes = await createEditedSource(source, [cut]).read(0, 100);
    expect(bytes.subarray(10)).toEqual(content.subarray(250 * KIB + 10, 250 * KIB + 100));
    expect(fetches.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0)).toBe(8 * KIB);
  });
});

describe('RangeTokenizer', () => {
  const content = patterned(100 * KIB);
  const big = { len: 17 * KIB * KIB, get: (bytes: Uint8Array) => bytes };

  function createTokenizer(sizeBytes = content.length) {
    const { fetches, fetchBytes } = createRecorder(content);
    const source = createBufferedSource(sizeBytes, fetchBytes);
    return { fetches, tokenizer: new RangeTokenizer(source, 'audio/mpeg') };
  }

  it('reads, peeks and jumps', async () => {
    const { tokenizer } = createTokenizer();
    const target = new Uint8Array(4);
    await tokenizer.peekBuffer(target, { position: 50 });
    expect(Buffer.from(target)).toEqual(content.subarray(50, 54));
    expect(tokenizer.position).toBe(0);
    await tokenizer.readBuffer(target);
    expect(Buffer.from(target)).toEqual(content.subarray(0, 4));
    tokenizer.setPosition(70_000);
    await tokenizer.readBuffer(target);
    expect(Buffer.from(target)).toEqual(content.subarray(70_000, 70_004));
    expect(tokenizer.position).toBe(70_004);
  });

  it('ignores bytes without reading them', async () => {
    const { fetches, tokenizer } = createTokenizer();
    expect(await tokenizer.ignore(90_000)).toBe(90_000);
    expect(tokenizer.position).toBe(90_000);
    expect(fetches).toEqual([]);
  });

  it('fails at the end unless fewer bytes will do', async () => {
    const { tokenizer } = createTokenizer();
    tokenizer.setPosition(content.length - 2);
    const target = new Uint8Array(4);
    await expect(tokenizer.peekBuffer(target)).rejects.toThrow('End-Of-Stream');
    expect(await tokenizer.readBuffer(target, { mayBeLess: true })).toBe(2);
  });

  it('refuses a token of more than 16 MB before there is a buffer for it', async () => {
    const { fetches, tokenizer } = createTokenizer(100 * KIB * KIB);
    await expect(tokenizer.readToken(big)).rejects.toThrow('exceeds maxBufferSize');
    expect(fetches).toEqual([]);
  });
});
