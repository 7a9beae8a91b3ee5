import { type Ffmpeg, type FfmpegJob } from '../adapters/ffmpeg';
import { requireDescriptor, requireFfmpeg, toAppError, undecodable } from './ffmpeg-failures';
import { type SelectedTrack } from './track-source';

/** What the sound of a whole track is wanted as. */
export type Decoding = Pick<
  FfmpegJob,
  'durationSeconds' | 'filter' | 'outputOptions' | 'muxer' | 'logLevel'
>;

/**
 * Decodes a track from its beginning to its end.
 *
 * @param onSound takes the sound in its order
 * @returns the end of what ffmpeg said
 * @throws AppError `track_undecodable` when there is no sound in it, and as `toAppError()` says
 */
export async function decodeTrack(
  ffmpeg: Ffmpeg | undefined,
  selected: SelectedTrack,
  decoding: Decoding,
  onSound: (chunk: Buffer) => void,
  signal: AbortSignal,
): Promise<string> {
  const job = {
    ...decoding,
    container: selected.format,
    trackDescriptor: requireDescriptor(selected),
  };
  let soundBytes = 0;
  const take = (chunk: Buffer): void => {
    soundBytes += chunk.length;
    onSound(chunk);
  };
  try {
    const log = await requireFfmpeg(ffmpeg).run(job, take, signal);
    if (soundBytes === 0) throw undecodable();
    return log;
  } catch (error) {
    throw toAppError(error);
  }
}
