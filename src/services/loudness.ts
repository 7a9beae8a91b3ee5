import { type Derive } from './derivation';
import { requireDescriptor, requireFfmpeg } from './ffmpeg-failures';
import { formatAnswer, type LoudnessMeter } from './loudness-meter';
import { type Ffmpeg } from '../adapters/ffmpeg';
import { describeOriginal } from './track-source';

export interface LoudnessDeps {
  readonly ffmpeg: Ffmpeg | undefined;
  readonly meter: LoudnessMeter;
}

/** The loudness of a track. */
export function createLoudness({ ffmpeg, meter }: LoudnessDeps): Derive {
  return async (selected) => {
    requireFfmpeg(ffmpeg);
    requireDescriptor(selected);
    const recipe = meter.recipe(selected);
    const known = await meter.known(selected);
    return {
      representation: {
        mediaType: 'application/json; charset=utf-8',
        entityTag: `"${recipe.key}"`,
        lastModifiedSeconds: describeOriginal(selected).lastModifiedSeconds,
        contentDisposition: 'inline',
      },
      content: known ? formatAnswer(known) : recipe,
    };
  };
}
