import { trackMetadataSchema, type TrackMetadata } from '../metadata-service';

/** What the catalogue lists of a track: its metadata, but for what has to be measured. */
export const listedTrackSchema = trackMetadataSchema.unwrap().omit({ loudness: true }).readonly();

const KEYS = Object.keys(listedTrackSchema.unwrap().shape).filter((key) => key !== 'id');
/** Left out of answers where there is nothing to say; all others are null then. */
const OPTIONAL = new Set(['durationIsEstimate', 'warnings']);

/** The values alone, as JSON: a third of the memory that the object takes, or its whole JSON. */
export function packMetadata(metadata: TrackMetadata): string {
  const values: Readonly<Record<string, unknown>> = metadata;
  const packed = JSON.stringify(KEYS.map((key) => values[key]));
  // V8 writes JSON into a chain of short strings, which takes twice the memory of one
  return Buffer.from(packed).toString();
}

/** @param packed by {@link packMetadata} */
export function unpackMetadata(id: string, packed: string): TrackMetadata {
  const values = JSON.parse(packed) as readonly unknown[];
  const entries = KEYS.map((key, i) => [key, values[i]] as const).filter(
    ([key, value]) => value !== null || !OPTIONAL.has(key),
  );
  return { id, ...Object.fromEntries(entries) } as TrackMetadata;
}
