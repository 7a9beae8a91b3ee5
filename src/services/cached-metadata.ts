import { type RedisGateway } from '../adapters/redis';
import {
  type Description,
  METADATA_SHAPE_VERSION,
  type MetadataService,
  type TrackMetadata,
  trackMetadataSchema,
} from './metadata-service';
import { metadataKey } from './redis-keys';
import { type SelectedTrack } from './track-source';

export interface CachedMetadataDeps {
  readonly metadata: MetadataService;
  readonly redis: Pick<RedisGateway, 'run'>;
  readonly ttlSeconds: number;
}

// No description is larger; whoever put more there, it is not fetched.
const LARGEST_VALUE_BYTES = 256_000;

/**
 * The same descriptions, with Redis in front and one parse for all who ask at the same time.
 *
 * Redis is a help: when it is away, slow to take a value, or holds something else, the track is
 * read. The first to ask reads through its own track, which therefore must stay open until
 * `describe()` settles. When that fails or ends without a final answer, those who waited try once
 * more together, through the track of one of them; nothing of a failure is kept.
 */
export function createCachedMetadata(deps: CachedMetadataDeps): MetadataService {
  const { metadata, redis, ttlSeconds } = deps;
  const flights = new Map<string, Promise<Description>>();

  async function describe(selected: SelectedTrack): Promise<Description> {
    const key = metadataKey(selected.id, selected.entityTag, METADATA_SHAPE_VERSION);
    const flight = flights.get(key);
    const description = flight && (await settle(flight));
    return description?.isFinal ? description : (flights.get(key) ?? takeOff(key, selected));
  }

  function takeOff(key: string, selected: SelectedTrack): Promise<Description> {
    const flight = lookUp(key, selected).finally(() => flights.delete(key));
    flights.set(key, flight);
    return flight;
  }

  async function lookUp(key: string, selected: SelectedTrack): Promise<Description> {
    const cached = await readCached(key, selected);
    if (cached) return { metadata: cached, isFinal: true };
    const description = await metadata.describe(selected);
    if (description.isFinal) void store(key, description.metadata);
    return description;
  }

  async function readCached(
    key: string,
    selected: SelectedTrack,
  ): Promise<TrackMetadata | undefined> {
    try {
      const value = await redis.run((client) => client.getrangeBuffer(key, 0, LARGEST_VALUE_BYTES));
      return parseValue(value, selected);
    } catch {
      // whatever is wrong with Redis is said where it is watched; here it is a miss
      return undefined;
    }
  }

  async function store(key: string, value: TrackMetadata): Promise<void> {
    try {
      await redis.run((client) => client.set(key, JSON.stringify(value), 'EX', ttlSeconds));
    } catch {
      // as above: the next one to ask tries again
    }
  }

  return { describe };
}

async function settle(flight: Promise<Description>): Promise<Description | undefined> {
  try {
    return await flight;
  } catch {
    // the one who took off hears of it
    return undefined;
  }
}

/** @throws SyntaxError when the value is not JSON, which is a miss like any other wrong value */
function parseValue(value: Buffer, selected: SelectedTrack): TrackMetadata | undefined {
  if (value.length === 0 || value.length > LARGEST_VALUE_BYTES) return undefined;
  const parsed = trackMetadataSchema.safeParse(JSON.parse(value.toString('utf8')));
  if (!parsed.success) return undefined;
  const isOurs = parsed.data.id === selected.id && parsed.data.etag === selected.entityTag;
  return isOurs ? parsed.data : undefined;
}
