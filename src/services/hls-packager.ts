import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Ffmpeg } from '../adapters/ffmpeg';
import { initSegment } from '../audio/hls/fragmented-mp4';
import { formatMasterPlaylist, formatMediaPlaylist, variantBitRates } from '../audio/hls/playlists';
import { planSegments, segmentOf, type Segment } from '../audio/hls/segment-plan';
import { mp3SampleRate, resampledCount } from '../audio/sample-count';
import { AppError } from '../errors';
import { IMMUTABLE } from '../streaming/response-plan';
import { type Derivation, type Derive } from './derivation';
import { undecodable } from './ffmpeg-failures';
import { encodeSegment, type PackagedSound } from './hls-segment';
import { type MetadataService } from './metadata-service';
import { nameOutput } from './output-name';
import { describeSound, type SourceSound } from './source-sound';
import { describeOriginal, type SelectedTrack } from './track-source';

export interface HlsPackagerDeps {
  readonly metadata: MetadataService;
  /** undefined where none is installed */
  readonly ffmpeg: Ffmpeg | undefined;
}

/** A track as HLS delivers it; everything about it is known before anything is encoded. */
interface Package extends PackagedSound {
  readonly bitRatesBps: readonly number[];
  /** in the addresses of segments: other bytes, another address */
  readonly validator: string;
}

/** Changes whenever the bytes of a segment would. */
const SHAPE_VERSION = 2;
/** The media type of playlists (RFC 8216 §4). */
export const PLAYLIST_TYPE = 'application/vnd.apple.mpegurl';
/** A week; a track that claims more is mistaken, and its list would fill the memory. */
const MOST_SEGMENTS = 100_000;

/** Tracks whose sound is remembered: listening is a request every six seconds. */
const MOST_REMEMBERED = 1_000;

/**
 * Playlists and segments of a track (RFC 8216). Playlists are complete at once; a segment is encoded
 * when it is asked for, apart from all others (docs/decisions/0010).
 */
export function createHlsPackager({ metadata, ffmpeg }: HlsPackagerDeps): Derive {
  const sounds = new LRUCache<string, SourceSound>({ max: MOST_REMEMBERED });

  // without Redis the tags would be read for each segment: 0.4 s for an M4B of ten hours
  const hear = async (selected: SelectedTrack): Promise<SourceSound> => {
    const key = nameOutput('sound', selected, []);
    const source = sounds.get(key) ?? (await describeSound(selected, metadata));
    if (!source) throw undecodable();
    sounds.set(key, source);
    return source;
  };

  return async (selected, { params, query }) => {
    const { variant, validator, segment } = params;
    if (!ffmpeg?.encoders.has('aac')) {
      throw new AppError('ffmpeg_unavailable', 'Tracks cannot be converted to HLS here');
    }
    const packaged = packageTrack(ffmpeg, selected, await hear(selected));
    const carried = carriedQuery(query);
    if (variant === undefined) return describeMaster(packaged, carried);
    const bitRateBps = packaged.bitRatesBps.find((rate) => nameOf(rate) === variant);
    if (bitRateBps === undefined) throw notFound('variant');
    if (segment === undefined) return describeMedia(packaged, carried);
    if (validator !== packaged.validator) throw notFound('state of the track');
    if (segment === 'init.mp4') return describeInit(packaged, bitRateBps);
    const number = /^(\d{1,6})\.m4s$/.exec(segment)?.[1];
    const found = number === undefined ? undefined : segmentOf(packaged.plan, Number(number));
    if (!found || `${found.number}.m4s` !== segment) throw notFound('segment');
    return describeSegment(packaged, bitRateBps, found);
  };
}

function packageTrack(ffmpeg: Ffmpeg, selected: SelectedTrack, source: SourceSound): Package {
  const samples = source.samples ?? estimateSamples(source);
  if (samples < 1) throw undecodable();
  const sampleRateHz = mp3SampleRate(source.sampleRateHz);
  const channels = source.channels === 1 ? 1 : 2;
  const heard = resampledCount(samples, source.sampleRateHz, sampleRateHz);
  const plan = planSegments(sampleRateHz, Math.max(1, heard));
  if (plan.segmentCount > MOST_SEGMENTS) throw undecodable();
  return {
    selected,
    source,
    ffmpeg,
    channels,
    plan,
    bitRatesBps: variantBitRates({
      sourceBitRateBps:
        source.isLossless || source.bitrateKbps === null ? undefined : source.bitrateKbps * 1000,
      sampleRateHz,
      channels,
    }),
    validator: nameOutput('v', selected, ['hls', SHAPE_VERSION, ffmpeg.version]),
  };
}

/** The end of the list is then as good as the duration: what is too much of it is silent. */
function estimateSamples({ durationSeconds, sampleRateHz }: SourceSound): number {
  return Math.round((durationSeconds ?? 0) * sampleRateHz);
}

/** Players take no query along by themselves: a list fetched by a grant names all with that grant. */
function carriedQuery(query: URLSearchParams): string {
  const grant = query.get('grant');
  return grant === null ? '' : `?grant=${encodeURIComponent(grant)}`;
}

function nameOf(bitRateBps: number): string {
  return `${bitRateBps / 1000}k`;
}

function notFound(what: string): AppError {
  return new AppError('not_found', `This track has no such ${what}`);
}

interface File {
  readonly mediaType: string;
  readonly name: string;
}

function describe(
  { selected }: Package,
  entityTag: string,
  { mediaType, name }: File,
): Derivation['representation'] {
  return {
    mediaType,
    entityTag: `"${entityTag}"`,
    lastModifiedSeconds: describeOriginal(selected).lastModifiedSeconds,
    contentDisposition: `inline; filename="${name}"`,
  };
}

/** Its tag is of the bytes, so that another release that writes them otherwise is no 304. */
function describeReady(packaged: Package, content: Buffer, file: File): Derivation {
  const digest = hash('sha256', content, 'base64url').slice(0, 32);
  return { representation: describe(packaged, `hls-${digest}`, file), content };
}

function describeMaster(packaged: Package, query: string): Derivation {
  const { bitRatesBps, plan } = packaged;
  const content = formatMasterPlaylist({
    bitRatesBps,
    sampleRateHz: plan.sampleRateHz,
    mediaUrl: (bitRateBps) => `${nameOf(bitRateBps)}/index.m3u8${query}`,
  });
  const file = { mediaType: PLAYLIST_TYPE, name: 'master.m3u8' };
  return describeReady(packaged, Buffer.from(content), file);
}

function describeMedia(packaged: Package, query: string): Derivation {
  const { plan, validator } = packaged;
  const content = formatMediaPlaylist({
    plan,
    initUrl: `${validator}/init.mp4${query}`,
    segmentUrl: (number) => `${validator}/${number}.m4s${query}`,
  });
  const file = { mediaType: PLAYLIST_TYPE, name: 'index.m3u8' };
  return describeReady(packaged, Buffer.from(content), file);
}

function describeInit(packaged: Package, bitRateBps: number): Derivation {
  const { plan, channels } = packaged;
  const file = { mediaType: 'audio/mp4', name: 'init.mp4' };
  const ready = describeReady(packaged, initSegment({ plan, channels, bitRateBps }), file);
  return { ...ready, representation: { ...ready.representation, cacheControl: IMMUTABLE } };
}

function describeSegment(packaged: Package, bitRateBps: number, segment: Segment): Derivation {
  const { selected, validator } = packaged;
  const parts = ['segment', bitRateBps, segment.number, validator];
  const key = nameOutput('hls', selected, parts);
  const file = { mediaType: 'audio/mp4', name: `${segment.number}.m4s` };
  return {
    representation: { ...describe(packaged, key, file), cacheControl: IMMUTABLE },
    content: {
      key,
      produce: async (append, signal) => {
        await append(await encodeSegment(packaged, { bitRateBps, segment }, signal));
      },
    },
  };
}
