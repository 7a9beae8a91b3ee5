import { Readable } from 'node:stream';
import { FfmpegFailed } from '../../../src/adapters/ffmpeg';
import { AppError } from '../../../src/errors';
import { explainFailure, toAppError, undecodable } from '../../../src/services/ffmpeg-failures';
import { type SelectedTrack } from '../../../src/services/track-source';
import { type ByteRange } from '../../../src/streaming/byte-range';

describe('toAppError()', () => {
  it.each([
    ['exit', 0, 'track_undecodable'],
    ['exit', 1, 'track_unavailable'],
    ['silent', 0, 'track_unavailable'],
    ['overtime', 5, 'track_unavailable'],
    ['not-started', 0, 'track_unavailable'],
    ['aborted', 0, 'track_unavailable'],
    ['consumer', 5, 'track_unavailable'],
    ['unreadable', 0, 'track_unavailable'],
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

describe('explainFailure()', () => {
  const SIZE_BYTES = 20_000_000;

  /** A track of whose bytes one cannot be read. */
  function selectWith(brokenAt: number, sizeBytes = SIZE_BYTES): Pick<SelectedTrack, 'track'> {
    const read = ({ firstPos, lastPos }: ByteRange): Readable => {
      if (firstPos > brokenAt || lastPos < brokenAt) return Readable.from([Buffer.alloc(9)]);
      return new Readable({
        read() {
          this.destroy(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }));
        },
      });
    };
    return { track: { sizeBytes, read } } as unknown as Pick<SelectedTrack, 'track'>;
  }

  const failures = [new FfmpegFailed('exit', 0, 'moov atom not found'), undecodable()];

  it.each([0, SIZE_BYTES - 1])(
    'does not blame the track when byte %i cannot be read',
    async (at) => {
      for (const failure of failures) {
        expect(await explainFailure(failure, selectWith(at))).toMatchObject({
          code: 'track_unavailable',
          cause: { code: 'EIO' },
        });
      }
    },
  );

  it('blames a track that can be read, also an empty one', async () => {
    for (const failure of failures) {
      for (const sizeBytes of [SIZE_BYTES, 1, 0]) {
        const explained = await explainFailure(failure, selectWith(-1, sizeBytes));
        expect(explained).toMatchObject({ code: 'track_undecodable' });
      }
    }
  });

  it('reads nothing for other failures', async () => {
    const explained = await explainFailure(new FfmpegFailed('silent', 0, ''), selectWith(0));
    expect(explained).toMatchObject({ code: 'track_unavailable', cause: { reason: 'silent' } });
  });
});
