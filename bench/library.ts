import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom, drawInteger } from './random';

/** A track that was made for a run. Its file is `<id>.mp3` in the library's folder. */
export interface BenchTrack {
  readonly id: string;
  readonly lengthBytes: number;
  readonly title: string;
}

/** Makes tracks: a tag, then frames of MPEG audio as a player finds them, filled with noise. */
export interface TrackMaker {
  make(folder: string, id: string, lengthBytes: number): BenchTrack;
}

/** MPEG-1 layer III, 320 kbit/s at 48 kHz: 144 * bit rate / sample rate, without padding. */
const FRAME_BYTES = 960;
const FRAME_HEADER = Buffer.from([0xff, 0xfb, 0xe4, 0x00]);
/** Longer than any track, so that none repeats itself and a wrong offset shows. */
const NOISE_FRAMES = 16_000;

/** Tracks begin at different places of one stretch of noise: quick to write, and still unlike. */
export function createTrackMaker(): TrackMaker {
  const noise = makeNoise();

  return {
    make(folder, id, lengthBytes) {
      const title = `Title of ${id}`;
      const tag = makeTag({ TIT2: title, TPE1: `Artist of ${id}`, TALB: `Album of ${id}` });
      mkdirSync(folder, { recursive: true });
      const file = openSync(join(folder, `${id}.mp3`), 'w');
      try {
        const firstFrame = drawInteger(createRandom(hash(id)), NOISE_FRAMES);
        let writtenBytes = writeSync(file, tag);
        let from = firstFrame * FRAME_BYTES;
        while (writtenBytes < lengthBytes) {
          const partBytes = Math.min(noise.length - from, lengthBytes - writtenBytes);
          writtenBytes += writeSync(file, noise, from, partBytes);
          from = 0;
        }
      } finally {
        closeSync(file);
      }
      return { id, lengthBytes, title };
    },
  };
}

export function readTrack(folder: string, track: BenchTrack): Buffer {
  return readFileSync(join(folder, `${track.id}.mp3`));
}

function makeNoise(): Buffer {
  const random = createRandom(1);
  const noise = Buffer.alloc(NOISE_FRAMES * FRAME_BYTES);
  for (let at = 0; at < noise.length; at += 4) {
    noise.writeUInt32LE(drawInteger(random, 2 ** 32), at);
  }
  for (let at = 0; at < noise.length; at += FRAME_BYTES) FRAME_HEADER.copy(noise, at);
  return noise;
}

/** @see ID3v2.3.0, §3.1 (header with a synchsafe length) and §3.3 (frames) */
function makeTag(texts: Readonly<Record<string, string>>): Buffer {
  const frames = Object.entries(texts).map(([name, text]) => {
    const content = Buffer.concat([Buffer.of(0), Buffer.from(text, 'latin1')]);
    const header = Buffer.alloc(10);
    header.write(name, 'latin1');
    header.writeUInt32BE(content.length, 4);
    return Buffer.concat([header, content]);
  });
  const content = Buffer.concat(frames);
  const length = content.length;
  const synchsafe = Buffer.of(0, 0, (length >> 7) & 0x7f, length & 0x7f);
  return Buffer.concat([Buffer.from('ID3\x03\x00\x00', 'latin1'), synchsafe, content]);
}

function hash(text: string): number {
  let value = 7;
  for (const character of text) value = (Math.imul(value, 31) + character.charCodeAt(0)) >>> 0;
  return value;
}
