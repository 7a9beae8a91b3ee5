import { type Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { isNativeError } from 'node:util/types';
import { FfmpegFailed, type Ffmpeg } from '../adapters/ffmpeg';
import { AppError } from '../errors';
import { type SelectedTrack } from './track-source';

/** Heads and tables are far smaller; from memory it takes a millisecond. */
const CHECKED_BYTES = 4 * 1024 * 1024;

/**
 * What a client is told when ffmpeg failed: the one place where its failures get codes.
 *
 * @param hasSound whether any came; otherwise each output counts as such
 * @returns any other error as it is
 */
export function toAppError(error: unknown, hasSound?: boolean): Error {
  if (!(error instanceof FfmpegFailed)) {
    return isNativeError(error) ? error : new Error('ffmpeg was not run', { cause: error });
  }
  const { reason, outputBytes, cause } = error;
  // it read the track to its end, or to what it could not read, and had nothing to give; one that was
  // killed or could not start has said nothing about the track
  if (reason === 'exit' && !(hasSound ?? outputBytes > 0)) return undecodable(error);
  // what took the output knows better what went wrong
  if (reason === 'consumer' && cause instanceof AppError) return cause;
  return new AppError('track_unavailable', 'The track cannot be converted now', { cause: error });
}

/**
 * The same; before the track is called undecodable its beginning and end are read, because ffmpeg often
 * takes a read that failed for a damaged head.
 */
export async function explainFailure(
  error: unknown,
  { track }: Pick<SelectedTrack, 'track'>,
  hasSound?: boolean,
): Promise<Error> {
  const explained = toAppError(error, hasSound);
  if (!(explained instanceof AppError) || explained.code !== 'track_undecodable') return explained;
  try {
    const lastPos = track.sizeBytes - 1;
    if (lastPos >= 0) {
      await drain(track.read({ firstPos: 0, lastPos: Math.min(lastPos, CHECKED_BYTES) }));
      await drain(track.read({ firstPos: Math.max(0, lastPos - CHECKED_BYTES), lastPos }));
    }
    return explained;
  } catch (cause) {
    return new AppError('track_unavailable', 'The track cannot be read now', { cause });
  }
}

async function drain(bytes: Readable): Promise<void> {
  bytes.resume();
  await finished(bytes);
}

/** For a run that ended well, too, and found nothing to decode. */
export function undecodable(cause?: unknown): AppError {
  return new AppError('track_undecodable', 'No sound could be decoded from the track', { cause });
}

/** @throws AppError `ffmpeg_unavailable` where none is installed */
export function requireFfmpeg(ffmpeg: Ffmpeg | undefined): Ffmpeg {
  if (ffmpeg) return ffmpeg;
  throw new AppError('ffmpeg_unavailable', 'This service has no ffmpeg, which this needs');
}

/** @throws AppError `not_implemented` for a track that is not a file of this machine */
export function requireDescriptor({ track }: SelectedTrack): number {
  if (track.descriptor !== undefined) return track.descriptor;
  throw new AppError('not_implemented', 'Tracks of this library cannot be converted');
}
