import { LRUCache } from 'lru-cache';
import { type SelectedTrack } from './track-source';

/** Answers about tracks as they are sent, ready to be sent again. */
export interface ReadyMetadata {
  get(selected: SelectedTrack): Buffer | undefined;
  /** @param content must describe this state of the track for good */
  set(selected: SelectedTrack, content: Buffer): void;
}

/** A thousand bytes or two for each track. */
const MAX_BYTES = 16_000_000;

/** Found by id and entity tag: other bytes, other metadata. */
export function createReadyMetadata(): ReadyMetadata {
  const answers = new LRUCache<string, Buffer>({
    maxSize: MAX_BYTES,
    sizeCalculation: (content, key) => content.length + key.length,
  });
  return {
    get: (selected) => answers.get(keyOf(selected)),
    set(selected, content) {
      answers.set(keyOf(selected), content);
    },
  };
}

function keyOf({ id, entityTag }: SelectedTrack): string {
  return entityTag + id; // the tag ends where its quotes do
}
