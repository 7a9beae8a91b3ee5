import { encodeBinary, encodeJson } from '../audio/audiowaveform';
import { createPeakFolder, type PeaksOptions } from '../audio/peaks';
import { AppError } from '../errors';
import { qualityOf } from '../streaming/accept';
import { decodeTrack } from './decode-track';
import {
  type Derivation,
  type DerivationDeps,
  type DerivationRequest,
  type Derive,
} from './derivation';
import { requireDescriptor, requireFfmpeg } from './ffmpeg-failures';
import { type TrackMetadata } from './metadata-service';
import { nameOutput } from './output-name';
import { type Recipe } from './production';
import { readChoice, readWhole } from './query-values';
import { describeOriginal, type SelectedTrack } from './track-source';

/** The forms of an answer. */
export const WAVEFORM_ENCODINGS = {
  json: { mediaType: 'application/json', encode: encodeJson },
  dat: { mediaType: 'application/octet-stream', encode: encodeBinary },
} as const;

/** Whole numbers that a request may choose; both ends inclusive. */
export const WAVEFORM_BOUNDS = {
  pixelsPerSecond: { least: 1, most: 1_000 },
  points: { least: 16, most: 20_000 },
} as const;
/** The words of each parameter that takes one of a few. */
export const WAVEFORM_CHOICES = { bits: ['8', '16'], format: ['json', 'dat'] } as const;

/** What a request may choose about a waveform. */
interface WaveformOptions {
  readonly width: { readonly pixelsPerSecond: number } | { readonly points: number };
  readonly bits: 8 | 16;
  readonly encoding: keyof typeof WAVEFORM_ENCODINGS;
}

/** Rises when the bytes of an answer change though track, options and ffmpeg are the same. */
const SHAPE = 'waveform1';

export const DEFAULT_PIXELS_PER_SECOND = 20;
/** Of one answer and of the memory it is made in (4 bytes each); over 14 hours by default. */
const MOST_PIXELS = 1_048_576;
/** The readers of the format refuse less. */
const FEWEST_SAMPLES_PER_PIXEL = 2;
/** Metadata rounds durations to it. */
const DURATION_STEP_SECONDS = 0.001;
/** Rates of audio; tags that say others are wrong. */
const SAMPLE_RATES = { minHz: 4_000, maxHz: 768_000, usualHz: 48_000 };

/** The waveform of a track, mixed down to one channel, in the formats of audiowaveform. */
export function createWaveform(deps: DerivationDeps): Derive {
  return (selected, request) =>
    new Promise((resolve) => {
      resolve(describeWaveform(deps, selected, readOptions(request)));
    });
}

function describeWaveform(
  deps: DerivationDeps,
  selected: SelectedTrack,
  options: WaveformOptions,
): Derivation {
  const { version } = requireFfmpeg(deps.ffmpeg);
  requireDescriptor(selected);
  const key = nameOutput(SHAPE, selected, [JSON.stringify(options), version]);
  return {
    representation: {
      mediaType: WAVEFORM_ENCODINGS[options.encoding].mediaType,
      entityTag: `"${key}"`,
      lastModifiedSeconds: describeOriginal(selected).lastModifiedSeconds,
      contentDisposition: 'inline',
    },
    content: createRecipe(key, { deps, selected, options }),
    varyBy: 'Accept',
  };
}

function readOptions({ query, accept }: DerivationRequest): WaveformOptions {
  const pixelsPerSecond = readBounded(query, 'pixelsPerSecond');
  const points = readBounded(query, 'points');
  if (pixelsPerSecond !== undefined && points !== undefined) {
    throw new AppError('bad_request', 'pixelsPerSecond and points exclude each other');
  }
  return {
    width:
      points === undefined
        ? { pixelsPerSecond: pixelsPerSecond ?? DEFAULT_PIXELS_PER_SECOND }
        : { points },
    bits: readChoice(query, 'bits', WAVEFORM_CHOICES.bits) === '16' ? 16 : 8,
    encoding: readChoice(query, 'format', WAVEFORM_CHOICES.format) ?? preferredEncoding(accept),
  };
}

function readBounded(
  query: URLSearchParams,
  name: keyof typeof WAVEFORM_BOUNDS,
): number | undefined {
  const { least, most } = WAVEFORM_BOUNDS[name];
  return readWhole(query, name, least, most);
}

function preferredEncoding(accept: string | undefined): WaveformOptions['encoding'] {
  const { json, dat } = WAVEFORM_ENCODINGS;
  return qualityOf(accept, dat.mediaType) > qualityOf(accept, json.mediaType) ? 'dat' : 'json';
}

interface Order {
  readonly deps: DerivationDeps;
  readonly selected: SelectedTrack;
  readonly options: WaveformOptions;
}

/** Decodes once: peaks are folded as samples come, so nothing grows with the duration. */
function createRecipe(key: string, { deps, selected, options }: Order): Recipe {
  return {
    key,
    async produce(append, signal) {
      const { metadata, isFinal } = await deps.metadata.describe(selected);
      // another try may know a duration, and would give other bytes the same entity tag
      if (!isFinal) throw new AppError('track_unavailable', 'The track cannot be read now');
      const sampleRateHz = decodingRate(metadata);
      const folder = createPeakFolder(chooseWidth(options, metadata, sampleRateHz));
      const decoding = {
        durationSeconds: metadata.duration,
        outputOptions: ['-ac', '1', '-ar', String(sampleRateHz), '-c:a', 'pcm_s16le'],
        muxer: 's16le',
      };
      await decodeTrack(
        deps.ffmpeg,
        selected,
        decoding,
        (chunk) => {
          folder.push(chunk);
        },
        signal,
      );
      const peaks = folder.finish();
      const { bits, encoding } = options;
      for (const piece of WAVEFORM_ENCODINGS[encoding].encode({ ...peaks, sampleRateHz, bits })) {
        await append(piece);
      }
    },
  };
}

/** The track's own: a lower one would be faster, and flatten the peaks that are to be seen. */
function decodingRate({ sampleRate }: TrackMetadata): number {
  const { minHz, maxHz, usualHz } = SAMPLE_RATES;
  return sampleRate !== null && sampleRate >= minHz && sampleRate <= maxHz ? sampleRate : usualHz;
}

function chooseWidth(
  { width }: WaveformOptions,
  { duration }: TrackMetadata,
  sampleRateHz: number,
): PeaksOptions {
  if ('pixelsPerSecond' in width) {
    const samplesPerPixel = Math.round(sampleRateHz / width.pixelsPerSecond);
    return { samplesPerPixel: atLeastFewest(samplesPerPixel), mostPixels: MOST_PIXELS };
  }
  // where the duration is not known, or wrong, halving finds a width that fits
  const mostSamples = ((duration ?? 0) + DURATION_STEP_SECONDS) * sampleRateHz;
  return {
    samplesPerPixel: atLeastFewest(Math.ceil(mostSamples / width.points)),
    mostPixels: 2 * width.points,
  };
}

function atLeastFewest(samplesPerPixel: number): number {
  return Math.max(samplesPerPixel, FEWEST_SAMPLES_PER_PIXEL);
}
