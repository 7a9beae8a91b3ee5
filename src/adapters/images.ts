import { createHash } from 'node:crypto';
import { type default as Sharp, type SharpOptions } from 'sharp';
import { AppError } from '../errors';
import { identifyImage, type ImageType } from './image-type';

export { IMAGE_HEAD_BYTES, type ImageType } from './image-type';

export interface RenderOptions {
  /** pixels; a smaller picture keeps its size */
  readonly largestSide: number;
  readonly format: 'jpeg' | 'webp';
}

/** Pictures that strangers made. */
export interface Images {
  /** What a picture is, by its first `IMAGE_HEAD_BYTES`. */
  identify(head: Uint8Array): ImageType | undefined;
  /** Changes when the same picture may come out otherwise; letters, digits, `_` and `-`. */
  version(): string;
  /** @throws AppError `track_undecodable` for what no program should be asked to show */
  assertShown(bytes: Uint8Array): Promise<void>;
  /**
   * The picture upright, in sRGB and without what a camera wrote about it; of an animation the
   * first frame.
   *
   * @throws AppError `track_undecodable` for damage, and for more pixels than are decoded
   */
  render(bytes: Uint8Array, options: RenderOptions): Promise<Buffer>;
}

/** Changes with what is done to a picture. */
const RENDERING = 1;
/**
 * 5000 x 5000, more than a cover scanned at 1000 dpi. The dearest that can be made of them, an
 * interlaced PNG of 16 bits, was measured to take 250 MB.
 */
const MOST_PIXELS = 25_000_000;
const MOST_SECONDS = 10;
const QUALITY = 82;

/** The only ones of libvips' loaders that are left: most others have never seen a hostile file. */
const LOADERS = ['JpegBuffer', 'PngBuffer', 'WebpBuffer', 'NsgifBuffer'];

const INPUT: SharpOptions = {
  limitInputPixels: MOST_PIXELS,
  failOn: 'error',
  sequentialRead: true,
  pages: 1,
};

/** sharp, which is loaded when it is first needed: that takes 0.1 s and 20 MB. */
export function createImages(): Images {
  let loaded: typeof Sharp | undefined;
  const load = (): typeof Sharp => (loaded ??= loadSharp());

  return {
    identify: identifyImage,
    version() {
      const { versions } = load();
      const hash = createHash('sha256').update(JSON.stringify(versions)).digest('base64url');
      return `${RENDERING}-${hash.slice(0, 6)}`;
    },
    async assertShown(bytes) {
      const { width, height } = await load()(bytes, INPUT).metadata().catch(refuse);
      if (width * height > MOST_PIXELS) refuse('too many pixels');
    },
    render(bytes, { largestSide, format }) {
      const resized = load()(bytes, INPUT)
        .autoOrient()
        .resize({
          width: largestSide,
          height: largestSide,
          fit: 'inside',
          withoutEnlargement: true,
        })
        .timeout({ seconds: MOST_SECONDS });
      const encoded =
        format === 'webp'
          ? resized.webp({ quality: QUALITY })
          : resized.flatten({ background: 'white' }).jpeg({ quality: QUALITY });
      return encoded.toBuffer().catch(refuse);
    },
  };
}

function loadSharp(): typeof Sharp {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- an import would load it at start
  const sharp = require('sharp') as typeof Sharp;
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: LOADERS.map((name) => `VipsForeignLoad${name}`) });
  // other threads are for other requests, and what is made is kept on disk
  sharp.concurrency(1);
  sharp.cache(false);
  return sharp;
}

function refuse(cause: unknown): never {
  throw new AppError('track_undecodable', 'The picture of the track cannot be decoded', { cause });
}
