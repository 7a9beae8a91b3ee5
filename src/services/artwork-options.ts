import { AppError } from '../errors';
import { type DerivationRequest } from './derivation';

export interface ArtworkOptions {
  /** the largest side in pixels, or the picture as it is stored */
  readonly size: number | 'original';
  /** of a picture that is made */
  readonly format: 'jpeg' | 'webp';
  /** the validator that the client knows */
  readonly knownValidator: string | undefined;
}

/** What `size` may be, in pixels of the larger side; both inclusive. */
export const ARTWORK_PIXELS = { least: 64, most: 1024 };

/**
 * @throws AppError `bad_request` for a size that is not offered
 */
export function parseArtworkOptions({
  query,
  accept,
}: Pick<DerivationRequest, 'query' | 'accept'>): ArtworkOptions {
  return {
    size: parseSize(query.getAll('size')),
    format: isWebpWanted(accept ?? '') ? 'webp' : 'jpeg',
    knownValidator: query.get('v') ?? undefined,
  };
}

function parseSize([value = 'original', ...others]: readonly string[]): number | 'original' {
  if (others.length === 0) {
    if (value === 'original') return 'original';
    const size = /^\d{2,4}$/.test(value) ? Number(value) : 0;
    if (size >= ARTWORK_PIXELS.least && size <= ARTWORK_PIXELS.most) return size;
  }
  throw new AppError(
    'bad_request',
    `size must be a whole number from ${ARTWORK_PIXELS.least} to ${ARTWORK_PIXELS.most}, or original`,
  );
}

/**
 * WebP has to be named: a wildcard is what programs send that have never heard of it.
 *
 * @see RFC 9110 §12.5.1
 */
function isWebpWanted(accept: string): boolean {
  const weights = new Map<string, number>();
  for (const member of accept.toLowerCase().split(',')) {
    const [range = '', ...parameters] = member.split(';').map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    weights.set(range, weight === undefined ? 1 : Number(weight) || 0);
  }
  const webp = weights.get('image/webp') ?? 0;
  const jpeg = weights.get('image/jpeg') ?? weights.get('image/*') ?? weights.get('*/*') ?? 0;
  return webp > 0 && webp >= jpeg;
}
