import { buffer } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import { IMAGE_HEAD_BYTES, type Images, type ImageType } from '../adapters/images';
import { TagReadingFailed, type TagReader } from '../adapters/tag-reader';
import { AppError } from '../errors';
import { type OpenedTrack } from '../storage/track-store';
import { unquote } from '../streaming/entity-tag';
import { formatEntityTag, lastModifiedSecondsOf, type SelectedTrack } from './track-source';

/** The picture of a track, in the state in which it was found. */
export interface TrackPicture {
  readonly type: ImageType;
  /** other bytes, another validator; no quotes */
  readonly validator: string;
  /** whole seconds since 1970 */
  readonly lastModifiedSeconds: number;
  /**
   * All of it; the track must be open meanwhile.
   *
   * @throws AppError `track_unavailable` when it is not what was found any more
   */
  read(): Promise<Uint8Array>;
}

export interface TrackPictures {
  /**
   * Looks into the tags, and where they have no picture that is served, beside the file.
   *
   * @param selected must be open until this settles
   * @throws AppError `track_unavailable`, or `overloaded` when too many tracks are being read
   */
  find(selected: SelectedTrack): Promise<TrackPicture | undefined>;
}

export interface TrackPicturesDeps {
  readonly tagReader: Pick<TagReader, 'readPicture'>;
  readonly images: Pick<Images, 'identify'>;
}

const LARGEST_FILE_BYTES = 10_000_000;
const NAMES = ['cover', 'folder', 'front'].flatMap((name) =>
  ['jpg', 'jpeg', 'png', 'webp'].map((extension) => `${name}.${extension}`),
);
/** some hundred bytes for each */
const MOST_REMEMBERED = 10_000;

export function createTrackPictures({ tagReader, images }: TrackPicturesDeps): TrackPictures {
  /** by entity tag and id, so it holds for good; a track without a picture costs one parse */
  const remembered = new LRUCache<string, ImageType | 'none'>({ max: MOST_REMEMBERED });

  const look = async ({
    track,
    format,
  }: SelectedTrack): Promise<ImageType | 'none' | undefined> => {
    if (track.sizeBytes === 0) return 'none';
    try {
      const picture = await tagReader.readPicture(track, format);
      return (picture && images.identify(picture)) ?? 'none';
    } catch (error) {
      // what the parser cannot cope with has no picture, this time
      const isHostile =
        error instanceof TagReadingFailed &&
        (error.reason === 'timeout' || error.reason === 'crashed');
      if (isHostile) return undefined;
      throw error;
    }
  };

  const findEmbedded = async (selected: SelectedTrack): Promise<TrackPicture | undefined> => {
    const { track, format, entityTag } = selected;
    const key = entityTag + selected.id; // the tag ends where its quotes do
    const type = remembered.get(key) ?? (await look(selected));
    if (type === undefined) return undefined;
    remembered.set(key, type);
    if (type === 'none') return undefined;
    return {
      type,
      validator: unquote(entityTag),
      lastModifiedSeconds: lastModifiedSecondsOf(track),
      // read again rather than held: many may wait for their turn
      read: () => reading(async () => (await tagReader.readPicture(track, format)) ?? changed()),
    };
  };

  return {
    find: (selected) =>
      reading(
        async () => (await findEmbedded(selected)) ?? (await findBeside(selected, images.identify)),
      ),
  };
}

async function findBeside(
  { track, entityTag }: SelectedTrack,
  identify: Images['identify'],
): Promise<TrackPicture | undefined> {
  const file = await track.openBeside?.(NAMES);
  if (!file) return undefined;
  try {
    if (file.sizeBytes > LARGEST_FILE_BYTES) return undefined;
    const type = identify(await readBytes(file, IMAGE_HEAD_BYTES));
    if (!type) return undefined;
    const state = formatEntityTag(file);
    return {
      type,
      // the track's as well: another track in the folder may get a picture of its own
      validator: `${unquote(entityTag)}.${unquote(state)}`,
      lastModifiedSeconds: lastModifiedSecondsOf(file),
      read: () => reading(() => readAgain(track, state)),
    };
  } finally {
    await file.close();
  }
}

async function readAgain(track: OpenedTrack, state: string): Promise<Uint8Array> {
  const file = await track.openBeside?.(NAMES);
  if (!file) return changed();
  try {
    return formatEntityTag(file) === state ? await readBytes(file, file.sizeBytes) : changed();
  } finally {
    await file.close();
  }
}

function readBytes(file: OpenedTrack, mostBytes: number): Promise<Buffer> | Buffer {
  const lastPos = Math.min(mostBytes, file.sizeBytes) - 1;
  return lastPos < 0 ? Buffer.alloc(0) : buffer(file.read({ firstPos: 0, lastPos }));
}

/** @throws AppError, whatever reading throws */
async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('track_unavailable', 'The track cannot be read now', { cause: error });
  }
}

function changed(): never {
  throw new AppError('track_unavailable', 'The picture has just been changed; try again');
}
