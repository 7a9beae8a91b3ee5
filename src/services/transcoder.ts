import { type Ffmpeg } from '../adapters/ffmpeg';
import { encoderLevel, levelFilter, TRUE_PEAK_LIMIT_DBTP } from '../audio/level';
import { AppError } from '../errors';
import { unquote } from '../streaming/entity-tag';
import { KEPT_FOR_A_DAY } from '../streaming/response-plan';
import { type Derivation, type Derive, type StoredOriginal } from './derivation';
import { explainFailure, requireDescriptor, undecodable } from './ffmpeg-failures';
import { type LoudnessMeter } from './loudness-meter';
import { type MetadataService } from './metadata-service';
import { nameOutput } from './output-name';
import { type Recipe } from './production';
import { describeSound, type SourceSound } from './source-sound';
import { describeOriginal, formatInlineName, type SelectedTrack } from './track-source';
import { playedChannels, resolveForm, type TranscodeForm } from './transcode-form';
import {
  chooseWithin,
  parseTranscodeOptions,
  type AutomaticOptions,
  type TranscodeOptions,
} from './transcode-options';

export interface TranscoderDeps {
  readonly metadata: MetadataService;
  /** undefined where none is installed */
  readonly ffmpeg: Ffmpeg | undefined;
  readonly meter: LoudnessMeter;
  /** LUFS that `gain=track` aims at */
  readonly targetLufs: number;
}

/** Changes whenever the bytes of the same request would. */
const SHAPE_VERSION = 2;
const SELECTED_FORMAT_FIELD = 'X-Selected-Format';

/** GET of a track in the form that its listener's device and line can take. */
export function createTranscoder(deps: TranscoderDeps): Derive<Derivation | StoredOriginal> {
  return async (selected, { query }) => {
    const wanted = parseTranscodeOptions(query);
    const original = chooseOriginal(selected, query);
    if (!wanted) return original;
    const isStateNamed = namesState(query, selected);
    const source = await describeSound(selected, deps.metadata);
    if (wanted.format !== 'auto')
      return derive(deps, selected, { ...wanted, source, isStateNamed });
    const { reason, chosen } = choose(wanted, source);
    if (!chosen) {
      const selectedFormat = `original; reason=${reason}`;
      return {
        furtherFields: { ...original.furtherFields, [SELECTED_FORMAT_FIELD]: selectedFormat },
      };
    }
    return derive(deps, selected, { ...wanted, ...chosen, source, isStateNamed, reason });
  };
}

/** The stored track, for a query that asks for no other form of it. */
export function chooseOriginal(selected: SelectedTrack, query: URLSearchParams): StoredOriginal {
  return {
    furtherFields: namesState(query, selected) ? { 'Cache-Control': KEPT_FOR_A_DAY } : {},
  };
}

/** Whether an address says which state of the track it is for, and that is the one it is in. */
function namesState(query: URLSearchParams, { entityTag }: SelectedTrack): boolean {
  return query.get('v') === unquote(entityTag);
}

/** What is chosen for a line, and why; without a choice the original. */
function choose(
  { maxBitrateKbps, startSeconds, isLeveled, channels }: AutomaticOptions,
  source: SourceSound | undefined,
): {
  readonly reason: string;
  readonly chosen?: Pick<TranscodeOptions, 'format' | 'bitrateKbps'>;
} {
  const isAsIs = startSeconds === 0 && !isLeveled && channels === undefined;
  const originalKbps = source?.bitrateKbps ?? Infinity;
  if (isAsIs && (originalKbps <= maxBitrateKbps || maxBitrateKbps === Infinity)) {
    return { reason: 'fits' };
  }
  const chosen = chooseWithin(maxBitrateKbps);
  if (!isAsIs) return { reason: 'form-asked-for', chosen };
  const isKnown = Number.isFinite(originalKbps);
  return { reason: isKnown ? 'original-exceeds-bitrate' : 'original-bitrate-unknown', chosen };
}

type Wanted = TranscodeOptions & {
  readonly source: SourceSound | undefined;
  /** the address names the state that the track is in */
  readonly isStateNamed: boolean;
  readonly reason?: string;
};

function derive(
  { ffmpeg, meter, targetLufs }: TranscoderDeps,
  selected: SelectedTrack,
  { source, isStateNamed, reason, ...options }: Wanted,
): Derivation {
  if (!source) throw new AppError('track_undecodable', 'There is no sound in this track');
  const form = resolveForm(options, source);
  if (!ffmpeg?.encoders.has(form.encoder)) {
    throw new AppError(
      'ffmpeg_unavailable',
      `Tracks cannot be converted to ${options.format} here`,
    );
  }
  const { format, bitrateKbps, startSeconds, isLeveled, channels } = options;
  const key = nameOutput('transcode', selected, [
    ...[SHAPE_VERSION, ffmpeg.version, format, bitrateKbps, startSeconds, channels],
    isLeveled ? targetLufs : null,
  ]);
  const chosen = bitrateKbps === undefined ? format : `${format}; bitrate=${bitrateKbps}`;
  const { fileName } = selected.track;
  const dot = fileName.lastIndexOf('.');
  return {
    representation: {
      mediaType: form.mediaType,
      entityTag: `"${key}"`,
      lastModifiedSeconds: describeOriginal(selected).lastModifiedSeconds,
      contentDisposition: formatInlineName(`${fileName.slice(0, dot)}.${form.extension}`),
      ...(isStateNamed ? { cacheControl: KEPT_FOR_A_DAY } : {}),
      ...(reason === undefined
        ? {}
        : { furtherFields: { [SELECTED_FORMAT_FIELD]: `${chosen}; reason=${reason}` } }),
    },
    content: createRecipe(
      { key, ffmpeg, selected, form, startSeconds, source },
      isLeveled
        ? (signal) => findLevel({ meter, targetLufs, selected, options, source, form }, signal)
        : undefined,
    ),
    isStreamed: true,
    isUnboundedUntilWhole: form.isEndReadFirst === true,
  };
}

type Leveled = Pick<TranscoderDeps, 'meter' | 'targetLufs'> & {
  readonly selected: SelectedTrack;
  readonly options: TranscodeOptions;
  readonly source: SourceSound;
  readonly form: TranscodeForm;
};

/** The filter that brings a track to the target loudness, as far as its peaks allow. */
async function findLevel(
  { meter, targetLufs, selected, options, source, form }: Leveled,
  signal: AbortSignal,
): Promise<string> {
  const channels = playedChannels(options, source);
  // a mix has a loudness of its own
  const mix = channels < source.channels ? channels : undefined;
  const { integratedLufs, truePeakDbtp } = await meter.measureInPlace(selected, signal, mix);
  const isHeard = integratedLufs !== null && truePeakDbtp !== null;
  const gainDb = isHeard
    ? Math.min(targetLufs - integratedLufs, TRUE_PEAK_LIMIT_DBTP - truePeakDbtp)
    : 0;
  const { sampleRateHz } = form;
  return levelFilter(
    { gainDb, truePeakDbtp: truePeakDbtp ?? -Infinity, sampleRateHz, channels },
    encoderLevel(options.format, options.bitrateKbps, channels),
  );
}

interface Transcode {
  readonly key: string;
  readonly ffmpeg: Ffmpeg;
  readonly selected: SelectedTrack;
  readonly form: TranscodeForm;
  readonly source: SourceSound;
  readonly startSeconds: number;
}

function createRecipe(
  { key, ffmpeg, selected, form, source, startSeconds }: Transcode,
  findLevel: ((signal: AbortSignal) => Promise<string>) | undefined,
): Recipe {
  return {
    key,
    ...(form.lengthBytes === undefined ? {} : { lengthBytes: form.lengthBytes }),
    async produce(append, signal) {
      const trackDescriptor = requireDescriptor(selected);
      const level = findLevel ? [await findLevel(signal)] : [];
      const writer = createHeadWriter(form, append);
      try {
        await ffmpeg.run(
          {
            container: selected.format,
            ...(startSeconds > 0 ? { seekOptions: ['-ss', String(startSeconds)] } : {}),
            filter: [...level, form.filter].join(','),
            muxer: form.muxer,
            outputOptions: form.outputOptions,
            trackDescriptor,
            durationSeconds: source.durationSeconds,
          },
          writer.write,
          signal,
        );
        writer.end();
      } catch (error) {
        throw await explainFailure(error, selected, writer.hasSound);
      }
    },
  };
}

interface HeadWriter {
  readonly hasSound: boolean;
  readonly write: (chunk: Buffer) => Promise<void>;
  /** @throws AppError `track_undecodable` when no sound came */
  end(): void;
}

/**
 * Puts our header in front of what ffmpeg writes, or rewrites the one that it writes: with the first
 * sound, since until then the track may turn out to be undecodable.
 */
function createHeadWriter(
  { header, head }: Pick<TranscodeForm, 'header' | 'head'>,
  append: (chunk: Buffer) => Promise<void>,
): HeadWriter {
  let start = Buffer.alloc(0);
  let hasSound = false;
  return {
    get hasSound() {
      return hasSound;
    },
    async write(chunk) {
      if (hasSound) {
        await append(chunk);
        return;
      }
      start = Buffer.concat([start, chunk]);
      const headBytes = head ? head.measure(start) : 0;
      if (headBytes === undefined || start.length <= headBytes) return;
      hasSound = true;
      const own = start.subarray(0, headBytes);
      const sound = start.subarray(headBytes);
      await append(Buffer.concat([header ?? Buffer.alloc(0), head?.patch?.(own) ?? own, sound]));
    },
    end() {
      if (!hasSound) throw undecodable();
    },
  };
}
