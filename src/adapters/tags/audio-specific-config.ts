import { AAC_SAMPLE_RATES_HZ } from './mpeg-frame';

/** What a decoder puts out; what its configuration does not say is left out. */
export interface SoundFormat {
  readonly channels?: number | undefined;
  readonly sampleRateHz?: number | undefined;
}

const EXPLICIT_RATE = 15;
// by channelConfiguration; 0 says that a program config element does
const CHANNELS: readonly (number | undefined)[] = [
  ...[undefined, 1, 2, 3, 4, 5, 6, 8],
  ...[undefined, undefined, undefined, 7, 8, 24, 8],
];
const SBR = 5;
const PARAMETRIC_STEREO = 29;
const ESCAPED_TYPE = 31;
// AAC Main, LC, SSR, LTP, Scalable, TwinVQ, and their error resilient kin: they share one layout
const GENERAL_AUDIO = new Set([1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23]);
const SBR_SYNC = 0x2b7;
const PARAMETRIC_STEREO_SYNC = 0x548;

/**
 * Channels and rate of AAC after the decoder: HE-AAC doubles the rate, its version 2 makes mono
 * stereo.
 *
 * @see ISO/IEC 14496-3 §1.6.2.1 (AudioSpecificConfig), §1.6.5 (signalling of SBR and PS)
 */
export function parseAudioSpecificConfig(config: Buffer): SoundFormat {
  if (config.length < 2) return {};
  const bits = new BitReader(config);
  const firstType = readObjectType(bits);
  const coreRateHz = readSampleRate(bits);
  const channelConfiguration = bits.read(4);
  const isExplicit = firstType === SBR || firstType === PARAMETRIC_STEREO;
  const extendedRateHz = isExplicit ? readSampleRate(bits) : undefined;
  const coreType = isExplicit ? readObjectType(bits) : firstType;
  const isGeneral = GENERAL_AUDIO.has(coreType);
  if (isGeneral) skipGeneralAudioConfig(bits);
  const listed =
    isGeneral && channelConfiguration === 0 ? countElements(bits) : CHANNELS[channelConfiguration];
  const appended = isExplicit || channelConfiguration === 0 ? {} : readAppended(bits);
  const isParametric = firstType === PARAMETRIC_STEREO || appended.isParametric === true;
  return {
    channels: isParametric && listed === 1 ? 2 : listed,
    sampleRateHz: extendedRateHz ?? appended.sampleRateHz ?? coreRateHz,
  };
}

/** Bits from the most significant one on; zeros behind the end. */
class BitReader {
  private position = 0;

  constructor(private readonly bytes: Buffer) {}

  read(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i += 1, this.position += 1) {
      const byte = this.bytes[this.position >> 3] ?? 0;
      value = value * 2 + ((byte >> (7 - (this.position & 7))) & 1);
    }
    return value;
  }
}

function readObjectType(bits: BitReader): number {
  const type = bits.read(5);
  return type === ESCAPED_TYPE ? 32 + bits.read(6) : type;
}

function readSampleRate(bits: BitReader): number | undefined {
  const index = bits.read(4);
  return index === EXPLICIT_RATE ? bits.read(24) || undefined : AAC_SAMPLE_RATES_HZ[index];
}

/** @see ISO/IEC 14496-3 §4.4.1 (GASpecificConfig), up to the program config element */
function skipGeneralAudioConfig(bits: BitReader): void {
  bits.read(1);
  const dependsOnCoreCoder = bits.read(1) === 1;
  if (dependsOnCoreCoder) bits.read(14);
  bits.read(1);
}

/** @see ISO/IEC 14496-3 §4.4.1.1 (program_config_element) */
function countElements(bits: BitReader): number | undefined {
  // instance tag, object type, sampling frequency index
  bits.read(4 + 2 + 4);
  const sides = bits.read(4) + bits.read(4) + bits.read(4);
  const lowFrequency = bits.read(2);
  // associated data and coupling elements
  bits.read(3 + 4);
  for (const mixdownBits of [4, 4, 3]) if (bits.read(1) === 1) bits.read(mixdownBits);
  let channels = lowFrequency;
  for (let element = 0; element < sides; element += 1) {
    const isPair = bits.read(1) === 1;
    channels += isPair ? 2 : 1;
    bits.read(4);
  }
  return channels || undefined;
}

/** SBR and PS as old decoders do not see them: behind the end of what those read. */
function readAppended(bits: BitReader): {
  readonly sampleRateHz?: number | undefined;
  readonly isParametric?: boolean;
} {
  if (bits.read(11) !== SBR_SYNC || readObjectType(bits) !== SBR || bits.read(1) === 0) return {};
  const sampleRateHz = readSampleRate(bits);
  const isParametric = bits.read(11) === PARAMETRIC_STEREO_SYNC && bits.read(1) === 1;
  return { sampleRateHz, isParametric };
}
