import { type Ffmpeg } from './adapters/ffmpeg';
import { type Config } from './config';
import { describeError, type Logger } from './observability/logger';
import { createArtwork } from './services/artwork';
import { type Derivation, type Derive, type StoredOriginal } from './services/derivation';
import { createHlsPackager } from './services/hls-packager';
import { createJobSlots } from './services/job-slots';
import { createLoudness } from './services/loudness';
import { type MetadataService } from './services/metadata-service';
import { createProductions, type Productions } from './services/productions';
import { createTranscoder } from './services/transcoder';
import { createWaveform } from './services/waveform';
import { openDerivedFiles } from './storage/derived-files';

/** What is made of tracks, on demand. */
export interface Media {
  readonly productions: Productions;
  readonly transcode: Derive<Derivation | StoredOriginal>;
  readonly hls: Derive;
  readonly artwork: Derive;
  readonly waveform: Derive;
  readonly loudness: Derive;
  /** Ends what is being made. */
  close(): Promise<void>;
}

export interface MediaDeps {
  readonly config: Config;
  readonly logger: Logger;
  readonly metadata: MetadataService;
  /** undefined where none is installed; to find out takes longer than to listen */
  readonly ffmpeg: Promise<Ffmpeg | undefined>;
}

type Derivations = Pick<Media, 'transcode' | 'hls' | 'artwork' | 'waveform' | 'loudness'>;

/** Composition of all that makes something of a track; a part of `container.ts`. */
export async function createMedia({ config, logger, metadata, ffmpeg }: MediaDeps): Promise<Media> {
  const complain = (error: unknown): void => {
    logger.warn('what is made of tracks cannot be kept', { error: describeError(error) });
  };
  const productions = createProductions({
    files: await openDerivedFiles({
      folder: config.cacheDir,
      maxBytes: config.cacheMaxBytes,
      onTrouble: complain,
    }),
    slots: createJobSlots({ mostRunning: config.transcodeJobs }),
    onNotKept: complain,
  });
  const compose = (found: Ffmpeg | undefined): Derivations => {
    if (!found) {
      logger.warn('ffmpeg is not installed: tracks are streamed as they are', {
        ffmpegPath: config.ffmpegPath ?? null,
      });
    }
    const deps = { ffmpeg: found, metadata, productions };
    const loudness = createLoudness(deps);
    return {
      transcode: createTranscoder({ ...deps, loudness, targetLufs: config.loudnessTargetLufs }),
      hls: createHlsPackager(deps),
      artwork: createArtwork(deps),
      waveform: createWaveform(deps),
      loudness,
    };
  };
  const derivations = ffmpeg.then(compose);
  const later =
    (kind: Exclude<keyof Derivations, 'transcode'>): Derive =>
    async (...asked) =>
      (await derivations)[kind](...asked);
  return {
    productions,
    async transcode(selected, request) {
      // an original waits for no ffmpeg
      if (request.query.size === 0) return { furtherFields: {} };
      return (await derivations).transcode(selected, request);
    },
    hls: later('hls'),
    artwork: later('artwork'),
    waveform: later('waveform'),
    loudness: later('loudness'),
    close: () => productions.close(),
  };
}
