import { type IAudioMetadata } from 'music-metadata';
import { type ReplayGainTags } from './track-tags';

// R128 tags count from -23 LUFS, ReplayGain from -18; RFC 7845 §5.2.1 (Q7.8 fixed point)
const R128_OFFSET_DB = 5;

/**
 * Loudness tags under the names all tag formats share.
 *
 * The text is parsed here, since music-metadata takes a gain without ` dB` for a ratio.
 */
export function readReplayGain({ native }: IAudioMetadata): ReplayGainTags | null {
  const values = new Map<string, number>();
  for (const { id, value } of Object.values(native).flat()) {
    const key = /(?:replaygain_(?:track|album)_(?:gain|peak)|r128_(?:track|album)_gain)$/i.exec(id);
    const number = typeof value === 'string' ? Number.parseFloat(value) : Number.NaN;
    if (key && Number.isFinite(number)) values.set(key[0].toLowerCase(), number);
  }
  const gains = {
    trackGainDb: values.get('replaygain_track_gain') ?? fromR128(values.get('r128_track_gain')),
    trackPeak: values.get('replaygain_track_peak') ?? null,
    albumGainDb: values.get('replaygain_album_gain') ?? fromR128(values.get('r128_album_gain')),
    albumPeak: values.get('replaygain_album_peak') ?? null,
  };
  return Object.values(gains).every((gain) => gain === null) ? null : gains;
}

function fromR128(gain: number | undefined): number | null {
  return gain === undefined ? null : gain / 256 + R128_OFFSET_DB;
}
