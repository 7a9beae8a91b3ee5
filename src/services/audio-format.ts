/** The one table of containers, by the names the metadata answers with, and their media types. */
export const MEDIA_TYPES = {
  mp3: 'audio/mpeg',
  flac: 'audio/flac',
  mp4: 'audio/mp4',
  aac: 'audio/aac',
  ogg: 'audio/ogg',
  wav: 'audio/wav',
  aiff: 'audio/aiff',
  webm: 'audio/webm',
  wma: 'audio/x-ms-wma',
} as const;

export type AudioFormat = keyof typeof MEDIA_TYPES;

const FORMAT_BY_EXTENSION: Readonly<Record<string, AudioFormat>> = {
  mp3: 'mp3',
  flac: 'flac',
  m4a: 'mp4',
  m4b: 'mp4',
  mp4: 'mp4',
  aac: 'aac',
  ogg: 'ogg',
  oga: 'ogg',
  opus: 'ogg',
  wav: 'wav',
  aif: 'aiff',
  aiff: 'aiff',
  webm: 'webm',
  weba: 'webm',
  wma: 'wma',
};

/** Bytes of a track's head that {@link identifyFormat} looks at. */
export const HEAD_BYTES = 16;

/** ASF header object, the GUID's first half as it lies in the file */
const ASF_HEADER = [0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11];
const EBML_HEADER = [0x1a, 0x45, 0xdf, 0xa3];

/** @param extension lower case, without the dot; one of the library's */
export function formatOfExtension(extension: string): AudioFormat | undefined {
  return Object.hasOwn(FORMAT_BY_EXTENSION, extension) ? FORMAT_BY_EXTENSION[extension] : undefined;
}

/**
 * Names the container by its first bytes; undefined when they show none of ours.
 *
 * @param head the first {@link HEAD_BYTES} bytes behind any ID3v2 tag, fewer when the file is shorter
 */
export function identifyFormat(head: Uint8Array): AudioFormat | undefined {
  const text = (start: number, end: number): string =>
    Buffer.from(head.subarray(start, end)).toString('latin1');
  const magic = text(0, 4);

  if (magic === 'fLaC') return 'flac';
  if (magic === 'OggS') return 'ogg';
  if (magic === 'ADIF') return 'aac';
  if (/^(?:RIFF|RF64|BW64)$/.test(magic)) return text(8, 12) === 'WAVE' ? 'wav' : undefined;
  if (magic === 'FORM') return /^AIF[FC]$/.test(text(8, 12)) ? 'aiff' : undefined;
  if (text(4, 8) === 'ftyp') return 'mp4';
  if (startsWith(head, ASF_HEADER)) return 'wma';
  if (startsWith(head, EBML_HEADER)) return 'webm';
  return identifyMpegFrame(head);
}

/**
 * Length in bytes of an ID3v2 tag at the start of a file, 0 without one; players find any
 * container behind it.
 *
 * @see ID3v2.4.0 structure §3.1: 28 bits in 4 bytes, and a footer as long as the header
 */
export function id3v2Length(head: Uint8Array): number {
  const [i, d, three, , , flags = 0, a = 0, b = 0, c = 0, e = 0] = head;
  if (i !== 0x49 || d !== 0x44 || three !== 0x33 || head.length < 10) return 0;
  const size = ((a & 0x7f) << 21) | ((b & 0x7f) << 14) | ((c & 0x7f) << 7) | (e & 0x7f);
  return 10 + size + (flags & 0x10 ? 10 : 0);
}

/** ADTS and MPEG audio share the sync word; the layer bits tell them apart. */
function identifyMpegFrame([first = 0, second = 0, third = 0]: Uint8Array):
  AudioFormat | undefined {
  if (first !== 0xff || (second & 0xe0) !== 0xe0) return undefined;
  const layer = (second >> 1) & 0b11;
  if (layer === 0) return (second & 0xf0) === 0xf0 ? 'aac' : undefined;
  const version = (second >> 3) & 0b11;
  const bitRateIndex = third >> 4;
  const sampleRateIndex = (third >> 2) & 0b11;
  const isFrame = version !== 1 && bitRateIndex !== 15 && sampleRateIndex !== 3;
  return isFrame ? 'mp3' : undefined;
}

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return prefix.every((byte, i) => bytes[i] === byte);
}
