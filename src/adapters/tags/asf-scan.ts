import { type ByteSource } from './byte-source';
import { type PictureLog } from './picture-scan';

// GUIDs as they are stored: the first three groups in little-endian order
const HEADER = '3026b2758e66cf11a6d900aa0062ce6c';
const STREAM_PROPERTIES = '9107dcb7b7a9cf118ee600c00c205365';
const AUDIO_MEDIA = '409e69f84d5bcf11a8fd00805f5c442b';
const HEADER_EXTENSION = 'b503bf5f2ea9cf118ee300c00c205365';

const LARGEST_OBJECT_BYTES = 1024 * 1024;
const MOST_OBJECTS = 1000;
const CODECS = new Map([
  [0x000a, 'wmavoice'],
  [0x0160, 'wmav1'],
  [0x0161, 'wmav2'],
  [0x0162, 'wmapro'],
  [0x0163, 'wmalossless'],
]);

/** The first audio stream, of which music-metadata says nothing. */
export interface AsfFacts {
  readonly asf?: {
    readonly codec: string | null;
    readonly sampleRateHz: number;
    readonly channels: number;
    readonly bitsPerSample: number;
    readonly bitRateBps: number;
  };
}

/**
 * Reads the audio stream's properties of an ASF file, and hides objects too large to be text.
 *
 * A hidden object keeps its place and size under an identifier nobody knows, so that the parser
 * skips it. Only a picture is that large.
 *
 * @see Advanced Systems Format specification §3
 */
export async function scanAsf(source: ByteSource, log: PictureLog): Promise<AsfFacts> {
  const top = await source.read(0, 30);
  if (top.length < 30 || top.toString('hex', 0, 16) !== HEADER) return {};
  const end = Math.min(Number(top.readBigUInt64LE(16)), source.sizeBytes);
  return scanObjects(source, { first: 30, end }, log);
}

async function scanObjects(
  source: ByteSource,
  span: { readonly first: number; readonly end: number },
  log: PictureLog,
): Promise<AsfFacts> {
  let facts: AsfFacts = {};
  let position = span.first;
  for (let count = 0; count < MOST_OBJECTS && position + 24 <= span.end; count += 1) {
    const object = await source.read(position, 24);
    const lengthBytes = object.length < 24 ? 0 : Number(object.readBigUInt64LE(16));
    if (lengthBytes < 24 || position + lengthBytes > span.end) break;
    const guid = object.toString('hex', 0, 16);
    if (guid === HEADER_EXTENSION) {
      // 22 bytes of its own, then objects; it cannot be inside itself
      await scanObjects(source, { first: position + 46, end: position + lengthBytes }, log);
    } else if (lengthBytes > LARGEST_OBJECT_BYTES) {
      if (!log.addPicture(lengthBytes)) log.replace(position, 16, Buffer.alloc(16));
    } else if (guid === STREAM_PROPERTIES) {
      facts = { ...(await readStream(source, position)), ...facts };
    }
    position += lengthBytes;
  }
  return facts;
}

async function readStream(source: ByteSource, position: number): Promise<AsfFacts> {
  // 54 bytes about any stream, then a WAVEFORMATEX when it is audio
  const object = await source.read(position + 24, 54 + 16);
  if (object.length < 54 + 16 || object.toString('hex', 0, 16) !== AUDIO_MEDIA) return {};
  const asf = {
    codec: CODECS.get(object.readUInt16LE(54)) ?? null,
    channels: object.readUInt16LE(56),
    sampleRateHz: object.readUInt32LE(58),
    bitRateBps: object.readUInt32LE(62) * 8,
    bitsPerSample: object.readUInt16LE(68),
  };
  return { asf };
}
