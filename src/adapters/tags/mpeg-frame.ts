/** One frame of MPEG-1/2/2.5 audio or of AAC in ADTS. */
export interface FrameHeader {
  readonly codec: 'mp1' | 'mp2' | 'mp3' | 'aac';
  readonly sampleRateHz: number;
  readonly channels: number | null;
  /** samples of one channel */
  readonly samples: number;
  readonly lengthBytes: number;
  /** null in ADTS, which states none */
  readonly bitRateBps: number | null;
  /** bytes between the header and a Xing header; null where there is none */
  readonly sideInfoBytes: number | null;
  /** the same in all frames of a stream */
  readonly kind: number;
}

/** By sampling frequency index; ISO/IEC 14496-3 §1.6.3.4. */
export const AAC_SAMPLE_RATES_HZ: readonly number[] = [
  96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
];
const ADTS_CHANNELS = [null, 1, 2, 3, 4, 5, 6, 8];
const MPEG_SAMPLE_RATES_HZ = [44100, 48000, 32000];

// kbit/s by index, without 0 (free) and 15 (reserved); ISO/IEC 11172-3 §2.4.2.3, 13818-3 §2.4.2.3
const BIT_RATES_KBPS = {
  v1l1: [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  v1l2: [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  v1l3: [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  v2l1: [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  v2: [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
};

/**
 * Reads the header at `offset`; undefined when there is none.
 *
 * Frames of free format are not known: nobody has them, and their length is not stated.
 */
export function parseFrameHeader(bytes: Buffer, offset: number): FrameHeader | undefined {
  if (offset + 8 > bytes.length) return undefined;
  const word = bytes.readUInt32BE(offset);
  if (word >>> 21 !== 0x7ff) return undefined;
  const layerBits = (word >>> 17) & 3;
  return layerBits === 0 ? parseAdts(bytes, offset, word) : parseMpeg(word, 4 - layerBits);
}

function parseAdts(bytes: Buffer, offset: number, word: number): FrameHeader | undefined {
  // a sync word of twelve bits here
  if (word >>> 20 !== 0xfff) return undefined;
  const sampleRateHz = AAC_SAMPLE_RATES_HZ[(word >>> 10) & 15];
  const lengthBytes = ((word & 3) << 11) | (bytes.readUInt16BE(offset + 4) >>> 5);
  if (sampleRateHz === undefined || lengthBytes <= 7) return undefined;
  return {
    codec: 'aac',
    sampleRateHz,
    channels: ADTS_CHANNELS[(word >>> 6) & 7] ?? null,
    samples: 1024 * ((bytes.readUInt8(offset + 6) & 3) + 1),
    lengthBytes,
    bitRateBps: null,
    sideInfoBytes: null,
    kind: word & 0xfffefdc0,
  };
}

function parseMpeg(word: number, layer: number): FrameHeader | undefined {
  const versionBits = (word >>> 19) & 3;
  const baseRateHz = MPEG_SAMPLE_RATES_HZ[(word >>> 10) & 3];
  if (versionBits === 1 || baseRateHz === undefined) return undefined;
  const isVersion1 = versionBits === 3;
  const kbps = bitRateTable(isVersion1, layer)[((word >>> 12) & 15) - 1];
  if (kbps === undefined) return undefined;
  const sampleRateHz = baseRateHz / (isVersion1 ? 1 : versionBits === 2 ? 2 : 4);
  const samples = layer === 1 ? 384 : layer === 3 && !isVersion1 ? 576 : 1152;
  const slotBytes = layer === 1 ? 4 : 1;
  const slots = Math.floor((samples * kbps * 125) / sampleRateHz / slotBytes);
  const isMono = ((word >>> 6) & 3) === 3;
  return {
    codec: layer === 1 ? 'mp1' : layer === 2 ? 'mp2' : 'mp3',
    sampleRateHz,
    channels: isMono ? 1 : 2,
    samples,
    lengthBytes: (slots + ((word >>> 9) & 1)) * slotBytes,
    bitRateBps: kbps * 1000,
    sideInfoBytes: layer === 3 ? sideInfoBytes(isVersion1, isMono) : null,
    // sync word, version, layer, sample rate; an encoder may change the rest from frame to frame
    kind: word & 0xfffe0c00,
  };
}

function bitRateTable(isVersion1: boolean, layer: number): readonly number[] {
  if (isVersion1)
    return [BIT_RATES_KBPS.v1l1, BIT_RATES_KBPS.v1l2, BIT_RATES_KBPS.v1l3][layer - 1] ?? [];
  return layer === 1 ? BIT_RATES_KBPS.v2l1 : BIT_RATES_KBPS.v2;
}

function sideInfoBytes(isVersion1: boolean, isMono: boolean): number {
  if (isVersion1) return isMono ? 17 : 32;
  return isMono ? 9 : 17;
}
