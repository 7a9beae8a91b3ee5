import { AppError } from '../../../src/errors';
import { parseArtworkOptions } from '../../../src/services/artwork-options';

function parse(query: string, accept?: string): ReturnType<typeof parseArtworkOptions> {
  return parseArtworkOptions({ query: new URLSearchParams(query), accept });
}

describe('parseArtworkOptions()', () => {
  it.each([
    ['', 'original'],
    ['size=original', 'original'],
    ['size=64', 64],
    ['size=1024', 1024],
    ['size=0300', 300],
    ['other=1&size=65', 65],
  ])('reads the size of %j', (query, size) => {
    expect(parse(query).size).toBe(size);
  });

  it.each(
    '63 1025 0 00064 -100 +100 1e2 100. 100px 99999999999999999999 Original NaN'
      .split(' ')
      .map((size) => `size=${encodeURIComponent(size)}`)
      .concat('size=', 'size=%20100', 'size=100%00', 'size=64&size=64', 'size=original&size=64'),
  )('refuses %j and names what is offered', (query) => {
    expect(() => parse(query)).toThrow(
      new AppError('bad_request', 'size must be a whole number from 64 to 1024, or original'),
    );
  });

  it.each([
    ['jpeg', undefined],
    ['jpeg', ''],
    ['jpeg', '*/*'],
    ['jpeg', 'image/*'],
    ['jpeg', 'image/jpeg'],
    ['webp', 'image/webp'],
    ['webp', 'IMAGE/WebP , */*;q=0.1'],
    ['webp', 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8'],
    ['jpeg', 'image/webp;q=0'],
    ['jpeg', 'image/webp;q=0.0, */*'],
    ['jpeg', 'image/webp;q=0.5, image/jpeg'],
    ['webp', 'image/webp;q=0.5, image/jpeg;q=0.4, */*'],
    ['jpeg', 'image/webp;q=0.5, image/*;q=0.6'],
    ['jpeg', 'image/webp;q=x'],
    ['jpeg', 'image/webpx'],
  ])('makes %s for Accept: %j', (format, accept) => {
    expect(parse('size=100', accept).format).toBe(format);
  });

  it('hands on the validator that the client knows', () => {
    expect(parse('v=4-2k').knownValidator).toBe('4-2k');
    expect(parse('').knownValidator).toBeUndefined();
  });
});
