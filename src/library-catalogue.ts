import { type RedisGateway } from './adapters/redis';
import { type TagReader } from './adapters/tag-reader';
import { type Config } from './config';
import { type Replacements } from './container';
import { type Logger } from './observability/logger';
import { createCachedMetadata } from './services/cached-metadata';
import { createCatalogue, type Catalogue } from './services/catalogue/catalogue';
import { createCatalogueIndex } from './services/catalogue/catalogue-index';
import { createDescribeTrack } from './services/catalogue/describe-track';
import { createLibraryScan } from './services/catalogue/library-scan';
import { createMetadataService } from './services/metadata-service';
import { createTrackSource } from './services/track-source';
import { noLibrary } from './storage/library';
import { createLocalLibrary } from './storage/local-library';
import { createLocalStore, noSightings } from './storage/local-store';
import { type ChunkMemory } from './streaming/chunk-memory';

export interface CatalogueDeps {
  readonly config: Config;
  readonly logger: Logger;
  readonly tagReader: Pick<TagReader, 'readBehind'>;
  readonly redis: RedisGateway;
  readonly memory: ChunkMemory;
  readonly replacements: Pick<Replacements, 'store' | 'library'>;
}

/** Composition of the catalogue; a part of `container.ts`. */
export function openCatalogue(deps: CatalogueDeps): Catalogue {
  const { config, logger, tagReader, redis, memory, replacements } = deps;
  const { audioFilesDir } = config;
  const store = replacements.store ?? createLocalStore(audioFilesDir, memory, undefined, noSightings);
  const library =
    replacements.library ?? (replacements.store ? noLibrary : createLocalLibrary(audioFilesDir));
  // its own: a listener must not come to wait for what the scan has put behind all others
  const metadata = createCachedMetadata({
    metadata: createMetadataService({
      tagReader: { read: (track, format) => tagReader.readBehind(track, format) },
    }),
    redis,
    ttlSeconds: config.metadataCacheTtlSeconds,
  });
  const index = createCatalogueIndex();
  const scan = createLibraryScan({
    library,
    index,
    describe: createDescribeTrack(createTrackSource(store), metadata),
    logger,
    rescanMs: config.rescanSeconds * 1000,
  });
  return createCatalogue(index, scan);
}
