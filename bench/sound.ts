import { createRandom, drawInteger } from './random';

const RATE_HZ = 44_100;

/** Two tones in noise as WAV, 44.1 kHz, 16 bit, stereo; the same bytes each time. */
export function makeWav(seconds: number): Buffer {
  const random = createRandom(1);
  const frames = seconds * RATE_HZ;
  const wav = Buffer.alloc(44 + frames * 4);
  wav.write('RIFF', 0, 'latin1');
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.write('WAVEfmt ', 8, 'latin1');
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(2, 22);
  wav.writeUInt32LE(RATE_HZ, 24);
  wav.writeUInt32LE(RATE_HZ * 4, 28);
  wav.writeUInt16LE(4, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36, 'latin1');
  wav.writeUInt32LE(frames * 4, 40);
  for (let frame = 0; frame < frames; frame += 1) {
    const noise = drawInteger(random, 4_000) - 2_000;
    const tone = (hz: number): number => Math.sin((2 * Math.PI * hz * frame) / RATE_HZ) * 8_000;
    wav.writeInt16LE(Math.round(tone(440) + noise), 44 + frame * 4);
    wav.writeInt16LE(Math.round(tone(660) - noise), 46 + frame * 4);
  }
  return wav;
}
