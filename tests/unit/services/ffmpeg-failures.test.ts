import { FfmpegFailed } from '../../../src/adapters/ffmpeg';
import { AppError } from '../../../src/errors';
import { toAppError } from '../../../src/services/ffmpeg-failures';

describe('toAppError()', () => {
  it.each([
    ['exit', 0, 'track_undecodable'],
    ['exit', 1, 'track_unavailable'],
    ['silent', 0, 'track_unavailable'],
    ['overtime', 5, 'track_unavailable'],
    ['not-started', 0, 'track_unavailable'],
    ['aborted', 0, 'track_unavailable'],
    ['consumer', 5, 'track_unavailable'],
  ] as const)('makes of %s after %i bytes %s', (reason, outputBytes, code) => {
    const failure = new FfmpegFailed(reason, outputBytes, '/a/path: no such thing');
    const error = toAppError(failure);
    expect(error).toMatchObject({ code, cause: failure });
    expect(error.message).not.toContain('path');
  });

  it('passes on what the taker of the output said', () => {
    const cause = new AppError('overloaded', 'No room');
    expect(toAppError(new FfmpegFailed('consumer', 5, '', { cause }))).toBe(cause);
  });

  it('leaves any other error as it is', () => {
    const error = new TypeError('a bug');
    expect(toAppError(error)).toBe(error);
  });
});
