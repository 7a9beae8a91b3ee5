import { type Ffmpeg } from '../adapters/ffmpeg';
import { splitAdtsFrames } from '../audio/hls/adts';
import { initSegment, mediaSegment } from '../audio/hls/fragmented-mp4';
import { formatMasterPlaylist, formatMediaPlaylist, variantBitRates } from '../audio/hls/playlists';
import { isSeekExact, segmentCommand } from '../audio/hls/segment-command';
import { planSegments, segmentOf, type Segment, type SegmentPlan } from '../audio/hls/segment-plan';
import { mp3SampleRate, resampledCount } from '../audio/sample-count';
import { AppError } from '../errors';
import { derivationKey, type Derivation, type Derive } from './derivation';
import { toAppError, undecodable } from './ffmpeg-failures';
import { type MetadataService } from './metadata-service';
import { describeSound, type SourceSound } from './source-sound';
import { describeOriginal, type SelectedTrack } from './track-source';

export interface HlsPackagerDeps {
  readonly metadata: MetadataService;
  /** undefined where none is installed */
  readonly ffmpeg: Ffmpeg | undefined;
}

/** A track as HLS delivers it; everything about it is known before anything is encoded. */
interface Package {
  readonly selected: SelectedTrack;
  readonly source: SourceSound;
  readonly plan: SegmentPlan;
  readonly channels: 1 | 2;
  readonly bitRatesBps: readonly number[];
  /** in the addresses of segments: other bytes, another address */
  readonly validator: string;
  readonly ffmpeg: Ffmpeg;
}

/** Changes whenever the bytes of a segment would. */
const SHAPE_VERSION = 1;
const PLAYLIST_TYPE = 'application/vnd.apple.mpegurl';
const IMMUTABLE = 'private, max-age=31536000, immutable';
const LEAST_VARIANT_SAMPLES = 1;

/**
 * Playlists and segments of a track (RFC 8216). Playlists are complete at once; a segment is encoded
 * when it is asked for, apart from all others (docs/decisions/0010).
 */
export function createHlsPackager(deps: HlsPackagerDeps): Derive {
  return async (selected, { params }) => {
    const { variant, validator, segment } = params;
    const packaged = await packageTrack(deps, selected);
    if (variant === undefined) return describeMaster(packaged);
    const bitRateBps = packaged.bitRatesBps.find((rate) => nameOf(rate) === variant);
    if (bitRateBps === undefined) throw notFound('variant');
    if (segment === undefined) return describeMedia(packaged, bitRateBps);
    if (validator !== packaged.validator) throw notFound('state of the track');
    if (segment === 'init.mp4') return describeInit(packaged, bitRateBps);
    const number = /^(\d{1,6})\.m4s$/.exec(segment)?.[1];
    const found = number === undefined ? undefined : segmentOf(packaged.plan, Number(number));
    if (!found || `${found.number}.m4s` !== segment) throw notFound('segment');
    return describeSegment(packaged, bitRateBps, found);
  };
}

async function packageTrack(
  { metadata, ffmpeg }: HlsPackagerDeps,
  selected: SelectedTrack,
): Promise<Package> {
  if (!ffmpeg?.encoders.has('aac')) {
    throw new AppError('ffmpeg_unavailable', 'Tracks cannot be converted to HLS here');
  }
  const source = await describeSound(selected, metadata);
  const samples = source && (source.samples ?? estimateSamples(source));
  if (!source || !samples) throw undecodable();
  const sampleRateHz = mp3SampleRate(source.sampleRateHz);
  const channels = source.channels === 1 ? 1 : 2;
  const heard = resampledCount(samples, source.sampleRateHz, sampleRateHz);
  return {
    selected,
    source,
    ffmpeg,
    channels,
    plan: planSegments(sampleRateHz, Math.max(LEAST_VARIANT_SAMPLES, heard)),
    bitRatesBps: variantBitRates({
      sourceBitRateBps:
        source.isLossless || source.bitrateKbps === null ? undefined : source.bitrateKbps * 1000,
      sampleRateHz,
      channels,
    }),
    validator: derivationKey('v', selected, ['hls', SHAPE_VERSION, ffmpeg.version]),
  };
}

/** The end of the list is then as good as the duration: what is too much of it is silent. */
function estimateSamples({ durationSeconds, sampleRateHz }: SourceSound): number {
  return Math.round((durationSeconds ?? 0) * sampleRateHz);
}

function nameOf(bitRateBps: number): string {
  return `${bitRateBps / 1000}k`;
}

function notFound(what: string): AppError {
  return new AppError('not_found', `This track has no such ${what}`);
}

function describe(
  { selected }: Package,
  parts: readonly (string | number)[],
  { mediaType, name }: { readonly mediaType: string; readonly name: string },
): Derivation['representation'] {
  return {
    mediaType,
    entityTag: `"${derivationKey('hls', selected, parts)}"`,
    lastModifiedSeconds: describeOriginal(selected).lastModifiedSeconds,
    contentDisposition: `inline; filename="${name}"`,
  };
}

function describeMaster(packaged: Package): Derivation {
  const { bitRatesBps, plan, validator } = packaged;
  const content = formatMasterPlaylist({
    bitRatesBps,
    sampleRateHz: plan.sampleRateHz,
    mediaUrl: (bitRateBps) => `${nameOf(bitRateBps)}/index.m3u8`,
  });
  const file = { mediaType: PLAYLIST_TYPE, name: 'master.m3u8' };
  return {
    representation: describe(packaged, ['master', validator], file),
    content: Buffer.from(content),
  };
}

function describeMedia(packaged: Package, bitRateBps: number): Derivation {
  const { plan, validator } = packaged;
  const content = formatMediaPlaylist({
    plan,
    initUrl: `${validator}/init.mp4`,
    segmentUrl: (number) => `${validator}/${number}.m4s`,
  });
  const file = { mediaType: PLAYLIST_TYPE, name: 'index.m3u8' };
  return {
    representation: describe(packaged, ['media', bitRateBps, validator], file),
    content: Buffer.from(content),
  };
}

function describeInit(packaged: Package, bitRateBps: number): Derivation {
  const { plan, channels, validator } = packaged;
  const file = { mediaType: 'audio/mp4', name: 'init.mp4' };
  return {
    representation: {
      ...describe(packaged, ['init', bitRateBps, validator], file),
      cacheControl: IMMUTABLE,
    },
    content: initSegment({ plan, channels, bitRateBps }),
  };
}

function describeSegment(packaged: Package, bitRateBps: number, segment: Segment): Derivation {
  const { selected, validator } = packaged;
  const parts = ['segment', bitRateBps, segment.number, validator] as const;
  const file = { mediaType: 'audio/mp4', name: `${segment.number}.m4s` };
  return {
    representation: { ...describe(packaged, parts, file), cacheControl: IMMUTABLE },
    content: {
      key: derivationKey('hls', selected, parts),
      produce: async (append, signal) => {
        await append(await encode(packaged, { bitRateBps, segment }, signal));
      },
    },
  };
}

async function encode(
  { selected, source, plan, channels, ffmpeg }: Package,
  { bitRateBps, segment }: { readonly bitRateBps: number; readonly segment: Segment },
  signal: AbortSignal,
): Promise<Buffer> {
  const { descriptor } = selected.track;
  if (descriptor === undefined) {
    throw new AppError('not_implemented', 'Tracks of this library cannot be converted');
  }
  const command = segmentCommand({
    sourceRateHz: source.sampleRateHz,
    sampleRateHz: plan.sampleRateHz,
    seek: isSeekExact(selected.format) ? { kind: 'time' } : { kind: 'decode' },
    channels,
    bitRateBps,
    segment,
  });
  const chunks: Buffer[] = [];
  const job = {
    container: selected.format,
    seekOptions: command.inputOptions,
    filter: command.audioFilter,
    outputOptions: command.outputOptions,
    muxer: 'adts',
    trackDescriptor: descriptor,
    durationSeconds: source.durationSeconds,
  } as const;
  try {
    await ffmpeg.run(job, (chunk) => void chunks.push(chunk), signal);
  } catch (error) {
    throw toAppError(error);
  }
  if (chunks.length === 0) throw undecodable();
  const { frames } = splitAdtsFrames(Buffer.concat(chunks));
  const { skipFrames } = command;
  return mediaSegment(plan, segment, frames.slice(skipFrames, skipFrames + segment.frameCount));
}
