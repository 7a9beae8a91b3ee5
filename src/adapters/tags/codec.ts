import { type IFormat } from 'music-metadata';
import { type AudioFormat } from '../../services/audio-format';

/** A codec in ffprobe's words, or the parser's own where there is none. */
export interface Codec {
  readonly name: string | null;
  readonly isLossless: boolean | null;
}

const WAVE_FORMATS: Readonly<Record<number, (bits: number) => string>> = {
  0x0001: (bits) => (bits === 8 ? 'pcm_u8' : `pcm_s${bits}le`),
  0x0002: () => 'adpcm_ms',
  0x0003: (bits) => `pcm_f${bits}le`,
  0x0006: () => 'pcm_alaw',
  0x0007: () => 'pcm_mulaw',
  0x0011: () => 'adpcm_ima_wav',
  0x0055: () => 'mp3',
};

// in music-metadata's words; the first that matches
const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^flac/i, 'flac'],
  [/alac|apple lossless/i, 'alac'],
  [/vorbis/i, 'vorbis'],
  [/opus/i, 'opus'],
  [/mpeg-4\/aac|^aac/i, 'aac'],
  [/^ac-3/i, 'ac3'],
  [/^mpeg-1 layer 3|^mpeg\/l3|mp3/i, 'mp3'],
];
const LOSSLESS_NAMES = new Set(['flac', 'alac', 'wmalossless']);

/** @param waveFormatTag of a WAVE file; the parser's name for it is often `non-PCM` */
export function resolveCodec(
  format: AudioFormat,
  said: IFormat | undefined,
  waveFormatTag?: number,
): Codec {
  const bits = said?.bitsPerSample ?? 16;
  if (format === 'wav' && waveFormatTag !== undefined) {
    const name = WAVE_FORMATS[waveFormatTag]?.(bits) ?? said?.codec ?? null;
    return { name, isLossless: waveFormatTag === 1 || waveFormatTag === 3 };
  }
  if (format === 'aiff') return resolveAiff(said, bits);
  const name = NAMES.find(([pattern]) => pattern.test(said?.codec ?? ''))?.[1];
  if (name === undefined) return { name: said?.codec ?? null, isLossless: said?.lossless ?? null };
  return resolveCodecName(name);
}

/** @param name in ffprobe's words */
export function resolveCodecName(name: string): Codec {
  return { name, isLossless: LOSSLESS_NAMES.has(name) };
}

function resolveAiff(said: IFormat | undefined, bits: number): Codec {
  const compression = said?.codec;
  if (compression === undefined) return { name: null, isLossless: null };
  if (/^pcm \(byte swapped\)/i.test(compression)) {
    return { name: `pcm_s${bits}le`, isLossless: true };
  }
  if (/^(?:pcm|none|not compressed)/i.test(compression)) {
    return { name: bits === 8 ? 'pcm_s8' : `pcm_s${bits}be`, isLossless: true };
  }
  return { name: compression, isLossless: said?.lossless ?? null };
}
