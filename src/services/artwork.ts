import { type Images, type ImageType } from '../adapters/images';
import { AppError } from '../errors';
import { IMMUTABLE } from '../streaming/response-plan';
import { type ArtworkOptions, parseArtworkOptions } from './artwork-options';
import { type Derive } from './derivation';
import { nameOutput } from './output-name';
import { type Recipe } from './production';
import { type TrackPicture, type TrackPictures } from './track-pictures';

export interface ArtworkDeps {
  readonly pictures: TrackPictures;
  readonly images: Pick<Images, 'version' | 'assertShown' | 'render'>;
}

const EXTENSIONS: Readonly<Record<ImageType, string>> = {
  jpeg: 'jpg',
  png: 'png',
  webp: 'webp',
  gif: 'gif',
};

/** What comes out, before anything is made. */
interface Rendition {
  readonly type: ImageType;
  /** tells it from other renditions of the picture; letters, digits, `_` and `-` */
  readonly name: string;
  readonly make: (bytes: Uint8Array) => Promise<Uint8Array>;
}

/** The picture of a track, as it is stored or in a size. */
export function createArtwork({ pictures, images }: ArtworkDeps): Derive {
  return async (selected, request) => {
    const options = parseArtworkOptions(request);
    const picture = await pictures.find(selected);
    if (!picture) throw new AppError('artwork_not_found', 'The track has no picture');

    const rendition = chooseRendition(images, picture.type, options);
    const { validator, lastModifiedSeconds } = picture;
    return {
      representation: {
        mediaType: `image/${rendition.type}`,
        // what stands before `~` is what clients put into `v`
        entityTag: `"${validator}~${rendition.name}"`,
        lastModifiedSeconds,
        contentDisposition: `inline; filename="artwork.${EXTENSIONS[rendition.type]}"`,
        ...(options.knownValidator === validator ? { cacheControl: IMMUTABLE } : {}),
      },
      content: createRecipe(selected.id, picture, rendition),
      ...(options.size === 'original' ? {} : { varyBy: 'Accept' }),
    };
  };
}

function chooseRendition(
  images: ArtworkDeps['images'],
  stored: ImageType,
  { size, format }: ArtworkOptions,
): Rendition {
  if (size === 'original') {
    return {
      type: stored,
      name: 'original',
      async make(bytes) {
        await images.assertShown(bytes);
        return bytes;
      },
    };
  }
  return {
    type: format,
    name: `${size}-${format}-${images.version()}`,
    make: (bytes) => images.render(bytes, { largestSide: size, format }),
  };
}

function createRecipe(id: string, picture: TrackPicture, { name, make }: Rendition): Recipe {
  return {
    key: nameOutput('artwork', { id, entityTag: picture.validator }, [name]),
    async produce(append, signal) {
      const bytes = await picture.read();
      signal.throwIfAborted();
      await append(Buffer.from(await make(bytes)));
    },
  };
}
