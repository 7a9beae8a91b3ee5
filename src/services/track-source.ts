import { buffer } from 'node:stream/consumers';
import { encodeExtended } from 'content-disposition';
import { AppError } from '../errors';
import { type OpenedTrack, type TrackStore } from '../storage/track-store';
import { type Representation } from '../streaming/representation';
import { type PreparedRepresentation } from '../streaming/response-plan';
import {
  formatOfExtension,
  HEAD_BYTES,
  id3v2Length,
  identifyFormat,
  MEDIA_TYPES,
  type AudioFormat,
} from './audio-format';

/** An open track together with what its bytes and validators say. */
export interface SelectedTrack {
  readonly id: string;
  /** by the bytes, else by the extension */
  readonly format: AudioFormat;
  /** strong, with its quotes; replicas with copies of a library agree on it */
  readonly entityTag: string;
  readonly track: OpenedTrack;
  /** what {@link describeOriginal} says of it, where that has been prepared */
  readonly original?: PreparedRepresentation;
}

export interface TrackSource {
  /**
   * Opens the track and looks at its first bytes; the caller must close `track`.
   *
   * @throws AppError as {@link TrackStore.open} does
   */
  select(id: string): Promise<SelectedTrack>;
}

/** Controls, what ends a quoted string or a path, and what turns the direction of the rest. */
const UNSAFE_IN_NAMES = /[\p{Cc}"\\/\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Keeps the field below 1 kB: three bytes for each of a name, and the name once more in ASCII. */
const MAX_DISPOSITION_BYTES = 240;

export function createTrackSource(store: TrackStore): TrackSource {
  // each goes with the state that the store remembers
  const formats = new WeakMap<object, AudioFormat>();

  const formatOf = async (track: OpenedTrack): Promise<AudioFormat> => {
    const { state } = track;
    const known = state && formats.get(state);
    if (known) return known;
    const format = await sniffFormat(track);
    if (state) formats.set(state, format);
    return format;
  };

  return {
    async select(id) {
      const track = await store.open(id);
      try {
        const format = await formatOf(track);
        return { id, format, entityTag: formatEntityTag(track), track };
      } catch (error) {
        await track.close();
        throw error instanceof AppError
          ? error
          : new AppError('track_unavailable', 'The track cannot be read now', { cause: error });
      }
    },
  };
}

/** What HTTP says of the stored original. */
export function describeOriginal({ track, format, entityTag }: SelectedTrack): Representation {
  return {
    lengthBytes: track.sizeBytes,
    mediaType: MEDIA_TYPES[format],
    entityTag,
    lastModifiedSeconds: lastModifiedSecondsOf(track),
    contentDisposition: formatInlineName(track.fileName),
  };
}

/** Whole seconds since 1970. */
export function lastModifiedSecondsOf({ mtimeNs }: Pick<OpenedTrack, 'mtimeNs'>): number {
  return Number(floorDivide(mtimeNs, 1_000_000_000n));
}

/** Division of bigints rounds towards zero, which before 1970 is up. */
function floorDivide(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return quotient * divisor > dividend ? quotient - 1n : quotient;
}

async function sniffFormat(track: OpenedTrack): Promise<AudioFormat> {
  const head = await readHead(track, 0);
  const tagLength = id3v2Length(head);
  const identified = identifyFormat(tagLength > 0 ? await readHead(track, tagLength) : head);
  if (identified) return identified;
  // a tag in front of padding or of nothing we know is still how MP3 files start
  const byExtension = formatOfExtension(track.extension);
  if (!byExtension) throw new TypeError(`no format for the extension ${track.extension}`);
  return byExtension;
}

async function readHead(track: OpenedTrack, firstPos: number): Promise<Uint8Array> {
  const lastPos = Math.min(firstPos + HEAD_BYTES, track.sizeBytes) - 1;
  if (lastPos < firstPos) return new Uint8Array();
  const range = { firstPos, lastPos };
  if (!track.readAtOnce) return buffer(track.read(range));
  // a stream for 16 bytes costs as much as all else that opening takes
  const bytes = await track.readAtOnce(range);
  try {
    return Buffer.concat(bytes.pieces);
  } finally {
    bytes.release();
  }
}

/**
 * Size and modification time tell one state of a file from another, to the nanosecond: a strong
 * validator. No inode in it: the same file has another one on each replica.
 */
export function formatEntityTag({
  sizeBytes,
  mtimeNs,
}: Pick<OpenedTrack, 'sizeBytes' | 'mtimeNs'>): string {
  return `"${sizeBytes.toString(36)}-${mtimeNs.toString(36)}"`;
}

/** @see RFC 6266 §4 (the plain name is for clients that read only that), RFC 8187 */
export function formatInlineName(fileName: string): string {
  const name = shorten(fileName.replace(UNSAFE_IN_NAMES, '_'));
  // some clients decode percent signs even here
  const plainName = name.replace(/[^\x20-\x7e]|%/gu, '_');
  return `inline; filename="${plainName}"; filename*=${encodeExtended(name)}`;
}

/** Cuts a long name in the middle of nothing: whole characters, and the extension kept. */
function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MAX_DISPOSITION_BYTES) return name;
  const extension = /\.[^.]{1,8}$/.exec(name)?.[0] ?? '';
  let kept = '';
  let bytes = Buffer.byteLength(extension);
  for (const character of name.slice(0, name.length - extension.length)) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_DISPOSITION_BYTES) break;
    kept += character;
  }
  return kept + extension;
}
