import { createImages } from './adapters/images';
import { type Ffmpeg } from './adapters/ffmpeg';
import { type TagReader } from './adapters/tag-reader';
import { type RedisGateway } from './adapters/redis';
import { type Config } from './config';
import { describeError, type Logger } from './observability/logger';
import { createArtwork } from './services/artwork';
import { type Derivation, type Derive, type StoredOriginal } from './services/derivation';
import { createHlsPackager } from './services/hls-packager';
import { createJobSlots } from './services/job-slots';
import { createLoudness } from './services/loudness';
import { createLoudnessMeter, type LoudnessMeter } from './services/loudness-meter';
import { type MetadataService } from './services/metadata-service';
import { createProductions, type Productions } from './services/productions';
import { createTrackPictures } from './services/track-pictures';
import { chooseOriginal, createTranscoder } from './services/transcoder';
import { createWaveform } from './services/waveform';
import { openDerivedFiles } from './storage/derived-files';
import { type ChunkMemory } from './streaming/chunk-memory';

/** What is made of tracks, on demand. */
export interface Media {
  readonly productions: Productions;
  /** of pictures, which wait for none of the others */
  readonly pictureProductions: Productions;
  readonly transcode: Derive<Derivation | StoredOriginal>;
  readonly hls: Derive;
  readonly artwork: Derive;
  readonly waveform: Derive;
  readonly loudness: Derive;
  readonly meter: Pick<LoudnessMeter, 'known' | 'knownNow'>;
  /** Ends what is being made. */
  close(): Promise<void>;
}

export interface MediaDeps {
  readonly config: Config;
  readonly logger: Logger;
  readonly metadata: MetadataService;
  readonly tagReader: Pick<TagReader, 'readPicture'>;
  readonly redis: RedisGateway;
  readonly memory: ChunkMemory;
  /** undefined where none is installed; to find out takes longer than to listen */
  readonly ffmpeg: Promise<Ffmpeg | undefined>;
}

/** What can be told only when it is known whether there is an ffmpeg. */
type Composed = Pick<Media, 'transcode' | 'hls' | 'waveform' | 'loudness'> & {
  readonly meter: LoudnessMeter;
};

/** It takes one of the four threads that also read files, and a hostile picture 250 MB. */
const MOST_PICTURES = 1;
/** A page of albums asks for all its covers at once, and an `img` does not try again. */
const MOST_PICTURES_WAITING = 200;
const PICTURE_PATIENCE_MS = 20_000;

/** Composition of all that makes something of a track; a part of `container.ts`. */
export async function createMedia(deps: MediaDeps): Promise<Media> {
  const { config, logger, metadata, tagReader, redis, memory, ffmpeg } = deps;
  const complain = (error: unknown): void => {
    logger.warn('what is made of tracks cannot be kept', { error: describeError(error) });
  };
  const files = await openDerivedFiles({
    folder: config.cacheDir,
    maxBytes: config.cacheMaxBytes,
    memory,
    onTrouble: complain,
  });
  const productions = createProductions({
    files,
    slots: createJobSlots({ mostRunning: config.transcodeJobs }),
    onNotKept: complain,
  });
  const pictureProductions = createProductions({
    files,
    slots: createJobSlots({
      mostRunning: MOST_PICTURES,
      mostWaiting: MOST_PICTURES_WAITING,
      patienceMs: PICTURE_PATIENCE_MS,
    }),
    onNotKept: complain,
  });
  const compose = (found: Ffmpeg | undefined): Composed => {
    if (found) logger.info('ffmpeg found', { ffmpegVersion: found.version });
    else {
      logger.warn('ffmpeg is not installed: tracks are streamed as they are', {
        ffmpegPath: config.ffmpegPath ?? null,
      });
    }
    const derivations = { ffmpeg: found, metadata, productions };
    const ttlSeconds = config.metadataCacheTtlSeconds;
    const meter = createLoudnessMeter({ ...derivations, redis, ttlSeconds });
    const targetLufs = config.loudnessTargetLufs;
    return {
      transcode: createTranscoder({ ffmpeg: found, metadata, meter, targetLufs }),
      hls: createHlsPackager(derivations),
      waveform: createWaveform(derivations),
      loudness: createLoudness({ ffmpeg: found, meter }),
      meter,
    };
  };
  let composed: Composed | undefined;
  const composing = ffmpeg.then((found) => (composed = compose(found)));
  const later =
    (kind: 'hls' | 'waveform' | 'loudness'): Derive =>
    async (...asked) =>
      (await composing)[kind](...asked);
  const images = createImages();
  const pictures = createTrackPictures({ tagReader, images });
  return {
    productions,
    pictureProductions,
    async transcode(selected, request) {
      // an original waits for no ffmpeg
      if (!request.query.has('format')) return chooseOriginal(selected, request.query);
      return (await composing).transcode(selected, request);
    },
    hls: later('hls'),
    artwork: createArtwork({ pictures, images }),
    waveform: later('waveform'),
    loudness: later('loudness'),
    meter: {
      known: async (...asked) => (await composing).meter.known(...asked),
      knownNow: (selected) => composed?.meter.knownNow(selected),
    },
    async close() {
      await Promise.all([productions.close(), pictureProductions.close()]);
    },
  };
}
