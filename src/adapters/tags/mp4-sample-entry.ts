import { parseAudioSpecificConfig, type SoundFormat } from './audio-specific-config';
import { type ByteSource } from './byte-source';
import { type Atom, readAtoms, readContent } from './mp4-atom';

const MOST_CHILDREN = 100;
const LARGEST_CONFIG_BYTES = 512;

// Fields all sound sample entries share, and what QuickTime's versions 1 and 2 have behind them.
const ENTRY_BYTES = 28;
const QUICKTIME_BYTES: readonly number[] = [0, 16, 36];

const CONFIGS: Readonly<Record<string, (content: Buffer) => SoundFormat>> = {
  esds: parseEsds,
  alac: (content) => ({ channels: content[13], sampleRateHz: content.readUInt32BE(24) }),
  // the rate of Opus is the decoder's, and what it says here is history
  dOps: (content) => ({ channels: content[1] }),
  dfLa: parseFlac,
  dac3: parseAc3,
};

/**
 * Channels and rate of the first sample entry.
 *
 * The codec's own configuration is believed before the fields of the entry: in those writers put
 * 2 channels whatever there are, and a rate has only 16 bits.
 *
 * @param stsd its sample entries are sound
 * @see ISO/IEC 14496-12 §12.2.3, QuickTime File Format (sound sample description, version 2)
 */
export async function readSampleEntry(source: ByteSource, stsd: Atom): Promise<SoundFormat> {
  const [version = 0] = await readContent(source, stsd, 1);
  const entries = { first: stsd.content + 8, end: stsd.end };
  for await (const entry of readAtoms(source, entries, 1)) {
    const fields = await readContent(source, entry, 64);
    // in an `stsd` of version 1 an entry of version 1 is ISO's, which has no more fields
    const entryVersion = version === 0 ? fields.readUInt16BE(8) : 0;
    const stated = parseFields(fields, entryVersion);
    const extraBytes = QUICKTIME_BYTES[entryVersion] ?? 0;
    const first = entry.content + ENTRY_BYTES + extraBytes;
    const config = await readConfig(source, { ...entry, content: first });
    return {
      channels: knownOf(config?.channels, stated.channels),
      sampleRateHz: knownOf(config?.sampleRateHz, stated.sampleRateHz),
    };
  }
  return {};
}

/** Writers put 0 where they do not know, or have no room. */
function knownOf(...candidates: readonly (number | undefined)[]): number | undefined {
  return candidates.find((value) => value !== undefined && value > 0);
}

function parseFields(fields: Buffer, entryVersion: number): SoundFormat {
  return entryVersion === 2
    ? { channels: fields.readUInt32BE(40), sampleRateHz: fields.readDoubleBE(32) }
    : { channels: fields.readUInt16BE(16), sampleRateHz: fields.readUInt16BE(24) };
}

/** QuickTime wraps the configuration in a `wave` atom. */
async function readConfig(source: ByteSource, parent: Atom): Promise<SoundFormat | undefined> {
  const children = { first: parent.content, end: parent.end };
  for await (const child of readAtoms(source, children, MOST_CHILDREN)) {
    const parse = Object.hasOwn(CONFIGS, child.name) ? CONFIGS[child.name] : undefined;
    if (parse) return parse(await readContent(source, child, LARGEST_CONFIG_BYTES));
    if (child.name === 'wave' && parent.name !== 'wave') return readConfig(source, child);
  }
  return undefined;
}

const ES_DESCRIPTOR = 3;
const DECODER_CONFIG = 4;
const DECODER_SPECIFIC_INFO = 5;
// MPEG-4 audio and the three MPEG-2 AAC profiles; MPEG layers have no configuration
const AAC_OBJECT_TYPES = new Set([0x40, 0x66, 0x67, 0x68]);

/** @see ISO/IEC 14496-1 §7.2.6.5 (ES_Descriptor), §7.2.6.6 (DecoderConfigDescriptor) */
function parseEsds(content: Buffer): SoundFormat {
  let position = 4;
  while (position < content.length) {
    const tag = content[position];
    const { first, end } = readDescriptorSpan(content, position + 1);
    if (tag === DECODER_SPECIFIC_INFO) {
      return parseAudioSpecificConfig(content.subarray(first, end));
    }
    if (tag === DECODER_CONFIG && !AAC_OBJECT_TYPES.has(content[first] ?? 0)) return {};
    if (tag === ES_DESCRIPTOR) position = first + 3 + countOptionalBytes(content, first + 2);
    else position = tag === DECODER_CONFIG ? first + 13 : end;
  }
  return {};
}

/** Seven bits of length per byte, the last of which has no high bit; at most four. */
function readDescriptorSpan(
  content: Buffer,
  from: number,
): { readonly first: number; readonly end: number } {
  let first = from;
  let lengthBytes = 0;
  for (let isLast = false; !isLast && first < from + 4; first += 1) {
    const byte = content[first] ?? 0;
    lengthBytes = lengthBytes * 128 + (byte & 0x7f);
    isLast = byte < 0x80;
  }
  return { first, end: first + lengthBytes };
}

/** Dependency, URL and clock reference of an ES_Descriptor, each of which its flags announce. */
function countOptionalBytes(content: Buffer, flagsAt: number): number {
  const flags = content[flagsAt] ?? 0;
  const dependencyBytes = (flags & 0x80) === 0 ? 0 : 2;
  const urlBytes = (flags & 0x40) === 0 ? 0 : 1 + (content[flagsAt + 1 + dependencyBytes] ?? 0);
  return dependencyBytes + urlBytes + ((flags & 0x20) === 0 ? 0 : 2);
}

/** The STREAMINFO that comes first, behind the version of the box and the header of the block. */
function parseFlac(content: Buffer): SoundFormat {
  const sampleRateHz = content.readUIntBE(18, 3) >> 4;
  return { sampleRateHz, channels: ((content.readUInt8(20) >> 1) & 7) + 1 };
}

// by acmod; ETSI TS 102 366 §4.4.2.3
const AC3_CHANNELS = [2, 1, 2, 3, 3, 4, 4, 5];

/** @see ETSI TS 102 366 annex F.4 (AC3SpecificBox) */
function parseAc3(content: Buffer): SoundFormat {
  const bits = content.readUIntBE(0, 3);
  const lowFrequency = (bits >> 10) & 1;
  return { channels: (AC3_CHANNELS[(bits >> 11) & 7] ?? 0) + lowFrequency };
}
