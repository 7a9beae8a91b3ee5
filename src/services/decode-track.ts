import { type Ffmpeg, type FfmpegJob } from '../adapters/ffmpeg';
import { explainFailure, requireDescriptor, requireFfmpeg, undecodable } from './ffmpeg-failures';
import { type SelectedTrack } from './track-source';

/** What of the sound of a track is wanted, and as what. */
export type Decoding = Pick<
  FfmpegJob,
  'durationSeconds' | 'filter' | 'outputOptions' | 'muxer' | 'logLevel' | 'seekOptions'
>;

/**
 * Turns the sound of a track into another form: all of it, unless options say where to begin or end.
 *
 * @param onSound takes the sound in its order
 * @returns the end of what ffmpeg said
 * @throws AppError `track_undecodable` when there is no sound in it, and as `explainFailure()` says
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
    throw await explainFailure(error, selected);
  }
}
