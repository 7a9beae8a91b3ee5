import { LRUCache } from 'lru-cache';
import { type SelectedTrack } from './track-source';

/** Answers about tracks as they are sent, ready to be sent again. */
export interface ReadyMetadata {
  /** @param entityTag of the answer */
  get(selected: SelectedTrack, entityTag: string): Buffer | undefined;
  /** @param content must be what the entity tag stands for, for good */
  set(selected: SelectedTrack, entityTag: string, content: Buffer): void;
}

/** A thousand bytes or two for each track. */
const MAX_BYTES = 16_000_000;

/** Found by id and the answer's entity tag: other bytes or a new measurement, other metadata. */
export function createReadyMetadata(): ReadyMetadata {
  const answers = new LRUCache<string, Buffer>({
    maxSize: MAX_BYTES,
    sizeCalculation: (content, key) => content.length + key.length,
  });
  return {
    get: (selected, entityTag) => answers.get(keyOf(selected, entityTag)),
    set(selected, entityTag, content) {
      answers.set(keyOf(selected, entityTag), content);
    },
  };
}

function keyOf({ id }: SelectedTrack, entityTag: string): string {
  return entityTag + id; // the tag ends where its quotes do
}
