import { AppError } from '../../errors';
import { type MetadataService, type TrackMetadata } from '../metadata-service';
import { type TrackSource } from '../track-source';
import { type IndexedTrack } from './catalogue-index';
import { foldText } from './fold-text';
import { type DescribeTrack } from './known-tracks';
import { packMetadata } from './packed-metadata';

/** What says that a listener could not open the track either. */
const NOT_OPENABLE = new Set(['track_not_found', 'track_unavailable']);

/**
 * Opens a track as a listener would, and describes it as `/metadata` does.
 *
 * @param tracks remembers nothing of what it opens
 * @param metadata gives way to listeners
 */
export function createDescribeTrack(tracks: TrackSource, metadata: MetadataService): DescribeTrack {
  return async (id) => {
    try {
      const selected = await tracks.select(id);
      try {
        const described = await metadata.describe(selected);
        const track = indexTrack(described.metadata, selected.track.fileName);
        return { track, isFinal: described.isFinal };
      } finally {
        await selected.track.close();
      }
    } catch (error) {
      if (error instanceof AppError && NOT_OPENABLE.has(error.code)) {
        return undefined;
      }
      throw error;
    }
  };
}

/** @param fileName as stored; its extension is not searched, or "opus" would find half a library */
export function indexTrack(metadata: TrackMetadata, fileName: string): IndexedTrack {
  const { id, title, artist, album } = metadata;
  const stem = fileName.replace(/\.[^.]*$/, '');
  const texts = [title, artist, album ?? '', stem].map(foldText);
  return { id, searched: [...new Set(texts)].join('\n'), packed: packMetadata(metadata) };
}
