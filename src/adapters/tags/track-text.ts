import { type IAudioMetadata } from 'music-metadata';
import { type TrackText } from './track-tags';

// Longer than any answer shows; the rest need not cross the thread.
const LONGEST_TEXT = 4000;

/** The tags the service shows, out of all that were found. */
export function readText({ common, native }: IAudioMetadata): TrackText {
  const plain = readPlainNames(native);
  const [firstArtist] = common.artists ?? [];
  const isList = firstArtist !== undefined && firstArtist === common.artist;
  const artist = isList ? common.artists?.join(', ') : common.artist;
  return {
    title: cut(common.title ?? plain.get('title')),
    artist: cut(artist ?? plain.get('artist')),
    album: cut(common.album ?? plain.get('album')),
    albumArtist: cut(common.albumartist ?? plain.get('album_artist')),
    genre: cut(common.genre?.join(', ') ?? plain.get('genre')),
    year: common.year ?? parseLeading(plain.get('date')),
    trackNumber: common.track.no ?? parseLeading(plain.get('track')),
    discNumber: common.disk.no ?? parseLeading(plain.get('disc')),
  };
}

/**
 * Tags under the names ffmpeg writes into every container.
 *
 * Matroska and ASF have other names for them, and those are the only ones music-metadata knows.
 */
function readPlainNames(native: IAudioMetadata['native']): Map<string, string> {
  const plain = new Map<string, string>();
  for (const { id, value } of [...(native.matroska ?? []), ...(native.asf ?? [])]) {
    const name = id.slice(id.lastIndexOf(':') + 1).toLowerCase();
    if (typeof value === 'string' && !plain.has(name)) plain.set(name, value);
  }
  return plain;
}

function parseLeading(text: string | undefined): number | undefined {
  const number = Number.parseInt(text ?? '', 10);
  return Number.isNaN(number) ? undefined : number;
}

function cut(text: unknown): string | undefined {
  return typeof text === 'string' ? text.slice(0, LONGEST_TEXT) : undefined;
}
