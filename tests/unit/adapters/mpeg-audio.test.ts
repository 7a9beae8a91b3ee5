import { createBufferedSource } from '../../../src/adapters/tags/byte-source';
import { readMpegAudio, type MpegAudio } from '../../../src/adapters/tags/mpeg-audio';
import { parseFrameHeader } from '../../../src/adapters/tags/mpeg-frame';

const HEADERS = {
  '128 kbit/s': 0xfffb9064,
  '320 kbit/s': 0xfffbe064,
  '32 kbit/s': 0xfffb1064,
};

function frame(word: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(word);
  const bytes = Buffer.alloc(parseFrameHeader(header, 0)?.lengthBytes ?? 0);
  header.copy(bytes, 0, 0, 4);
  return bytes;
}

function frames(word: number, count: number): Buffer {
  return Buffer.concat(Array<Buffer>(count).fill(frame(word)));
}

async function measure(
  content: Buffer,
  now = () => 0,
): Promise<{ readonly audio: MpegAudio | undefined; readonly fetchedBytes: number }> {
  let fetchedBytes = 0;
  const source = createBufferedSource(content.length, (position, lengthBytes) => {
    fetchedBytes += lengthBytes;
    return Promise.resolve(content.subarray(position, position + lengthBytes));
  });
  const audio = await readMpegAudio(source, { first: 0, end: content.length }, now);
  return { audio, fetchedBytes };
}

describe('parseFrameHeader()', () => {
  it.each([
    // MPEG-1 and 2, ISO/IEC 11172-3 §2.4.1.3 and 13818-3 §2.4.1.3
    ['fffb906400000000', 'mp3', 44_100, 2, 1152, 417],
    ['fffb926400000000', 'mp3', 44_100, 2, 1152, 418],
    ['fff380c400000000', 'mp3', 22_050, 1, 576, 208],
    ['ffe380c400000000', 'mp3', 11_025, 1, 576, 417],
    ['fffd840000000000', 'mp2', 48_000, 2, 1152, 384],
    ['ffff140000000000', 'mp1', 48_000, 2, 384, 32],
    // ADTS, ISO/IEC 13818-7 §6.2
    ['fff1508002ff0000', 'aac', 44_100, 2, 1024, 23],
    ['fff94c4020000000', 'aac', 48_000, 1, 1024, 256],
  ])('reads %s', (hex, codec, sampleRateHz, channels, samples, lengthBytes) => {
    const header = parseFrameHeader(Buffer.from(hex, 'hex'), 0);
    expect(header).toMatchObject({ codec, sampleRateHz, channels, samples, lengthBytes });
  });

  it.each([
    ['no sync word', 'fedb906400000000'],
    ['reserved version', 'ffeb906400000000'],
    ['reserved sample rate', 'fffb9c6400000000'],
    ['free format', 'fffb006400000000'],
    ['reserved bit rate', 'fffbf06400000000'],
    ['too short', 'fffb9064000000'],
    ['ADTS without content', 'fff1508000e00000'],
  ])('reads nothing: %s', (_, hex) => {
    expect(parseFrameHeader(Buffer.from(hex, 'hex'), 0)).toBeUndefined();
  });
});

describe('readMpegAudio()', () => {
  const secondsPerFrame = 1152 / 44_100;

  it('counts every frame of a small track', async () => {
    const content = Buffer.concat([
      frames(HEADERS['128 kbit/s'], 10),
      frames(HEADERS['320 kbit/s'], 300),
      frames(HEADERS['32 kbit/s'], 200),
    ]);
    const { audio } = await measure(content);
    expect(audio?.durationSeconds).toBeCloseTo(510 * secondsPerFrame, 6);
    expect(audio?.bitRateBps).toBeCloseTo((content.length * 8) / (510 * secondsPerFrame), 3);
  });

  it('reads a sixteenth of a large track with a constant bit rate', async () => {
    const count = 40_000;
    const { audio, fetchedBytes } = await measure(frames(HEADERS['128 kbit/s'], count));
    // frames of 417 bytes alone are a little less than 128 kbit/s
    expect(Math.abs((audio?.durationSeconds ?? 0) / (count * secondsPerFrame) - 1)).toBeLessThan(
      0.003,
    );
    expect(fetchedBytes).toBeLessThan(1.5 * 1024 * 1024);
  });

  it('estimates a large track with a variable bit rate within a percent, of 20 MB at the most', async () => {
    const parts = Array.from({ length: 600 }, (_, i) =>
      frames(Object.values(HEADERS)[(i * i) % 3] ?? 0, 100 + ((i * 37) % 50)),
    );
    const content = Buffer.concat([...parts, ...parts]);
    const counted = await measure(content.subarray(0, 16 * 1024 * 1024));
    const { audio, fetchedBytes } = await measure(content);
    const count = parts.reduce((sum, _, i) => sum + 2 * (100 + ((i * 37) % 50)), 0);
    expect(Math.abs((audio?.durationSeconds ?? 0) / (count * secondsPerFrame) - 1)).toBeLessThan(
      0.01,
    );
    expect(fetchedBytes).toBeLessThan(20 * 1024 * 1024);
    expect(counted.audio?.durationSeconds).toBeGreaterThan(0);
  });

  it('ends in time, with what was seen until then', async () => {
    let ms = 0;
    const content = Buffer.concat([
      frames(HEADERS['128 kbit/s'], 20_000),
      frames(HEADERS['320 kbit/s'], 10_000),
    ]);
    const { audio, fetchedBytes } = await measure(content, () => (ms += 100));
    const ratio = (audio?.durationSeconds ?? 0) / (30_000 * secondsPerFrame);
    expect(Math.abs(ratio - 1)).toBeLessThan(0.25);
    expect(fetchedBytes).toBeLessThan(2 * 1024 * 1024);
  });

  it('believes the count in the first frame, and its absence', async () => {
    const first = frame(HEADERS['128 kbit/s']);
    first.write('Xing', 36, 'latin1');
    first.writeUInt32BE(1, 40);
    first.writeUInt32BE(500, 44);
    const stated = await measure(Buffer.concat([first, frames(HEADERS['128 kbit/s'], 499)]));
    expect(stated.audio?.durationSeconds).toBeCloseTo(500 * secondsPerFrame, 6);
    first.writeUInt32BE(0, 40);
    const unstated = await measure(Buffer.concat([first, frames(HEADERS['128 kbit/s'], 499)]));
    expect(unstated.audio?.durationSeconds).toBeCloseTo(499 * secondsPerFrame, 6);
  });

  it('does not believe a count that makes no sense', async () => {
    const first = frame(HEADERS['128 kbit/s']);
    first.write('Xing', 36, 'latin1');
    first.writeUInt32BE(1, 40);
    first.writeUInt32BE(0xffffffff, 44);
    const { audio } = await measure(Buffer.concat([first, frames(HEADERS['128 kbit/s'], 99)]));
    expect(audio?.durationSeconds).toBeCloseTo(99 * secondsPerFrame, 6);
  });

  it('goes on behind noise between frames', async () => {
    const noise = Buffer.alloc(5000, 0xff);
    const half = frames(HEADERS['128 kbit/s'], 50);
    const { audio } = await measure(Buffer.concat([half, noise, half]));
    expect(audio?.durationSeconds).toBeCloseTo(100 * secondsPerFrame, 6);
  });

  it.each([
    ['text', Buffer.from('This is not audio. '.repeat(5000))],
    ['nothing', Buffer.alloc(0)],
    ['set bits', Buffer.alloc(100_000, 0xff)],
    ['one frame header alone', Buffer.concat([frame(HEADERS['128 kbit/s']), Buffer.alloc(9000)])],
  ])('finds no audio in %s', async (_, content) => {
    expect((await measure(content)).audio).toBeUndefined();
  });
});
