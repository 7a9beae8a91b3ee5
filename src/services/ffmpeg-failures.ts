import { FfmpegFailed } from '../adapters/ffmpeg';
import { AppError } from '../errors';

/**
 * What a failed run is to the client; anything else is passed on as it is.
 *
 * @param hasSound whether any came; otherwise each output counts as such
 */
export function translateFailure(error: unknown, hasSound?: boolean): unknown {
  if (!(error instanceof FfmpegFailed)) return error;
  // it read the track to its end, or to what it could not read, and had nothing to give
  if (error.reason === 'exit' && !(hasSound ?? error.outputBytes > 0)) return undecodable(error);
  return new AppError('track_unavailable', 'The track could not be converted', { cause: error });
}

/** @param cause for the operator */
export function undecodable(cause?: unknown): AppError {
  return new AppError('track_undecodable', 'There is no sound in this track that can be decoded', {
    cause,
  });
}
