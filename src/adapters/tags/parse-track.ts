import { parseFromTokenizer, type IAudioMetadata } from 'music-metadata';
import { type AudioFormat } from '../../services/audio-format';
import { type AsfFacts, scanAsf } from './asf-scan';
import { type ByteSource, createEditedSource } from './byte-source';
import { type ChunkFacts, scanChunks } from './chunk-scan';
import { resolveCodec, resolveCodecName } from './codec';
import { scanId3 } from './id3-scan';
import { type MatroskaFacts, scanMatroska } from './matroska-scan';
import { type Mp4Facts } from './mp4-movie';
import { scanMp4 } from './mp4-scan';
import { type MpegAudio, readMpegAudio } from './mpeg-audio';
import { type OggFacts, scanOgg } from './ogg-scan';
import { PictureLog, scanFlac, scanTrailer } from './picture-scan';
import { RangeTokenizer } from './range-tokenizer';
import { readReplayGain } from './replay-gain';
import { type TrackAudio, type TrackTags } from './track-tags';
import { readText } from './track-text';

const PARSER_TYPES: Readonly<Record<AudioFormat, string>> = {
  mp3: 'audio/mpeg',
  flac: 'audio/flac',
  mp4: 'audio/mp4',
  aac: 'audio/aacp',
  ogg: 'audio/ogg',
  wav: 'audio/wav',
  aiff: 'audio/aiff',
  webm: 'audio/webm',
  wma: 'audio/ms-wma',
};

/**
 * Reads what the bytes of a track say about it.
 *
 * First our own walk finds the pictures, and hides everything from music-metadata that would be
 * read for nothing; then music-metadata reads the tags. MPEG audio is measured here as well, since
 * music-metadata would read a whole track for its duration, or guess.
 *
 * @throws never for what the bytes say: what could not be read is named in `problems`
 */
export async function parseTrack(
  source: ByteSource,
  format: AudioFormat,
  now: () => number = () => performance.now(),
): Promise<TrackTags> {
  const log = new PictureLog();
  const facts = await settle(scan(source, format, log, now));
  const edited = createEditedSource(source, log.edits);
  const { parsed, isWhole } = await parseTags(edited, facts?.parseAs ?? format);
  const audio = resolveAudio(parsed, facts ?? {}, format);
  const text = parsed ? readText(parsed) : {};
  return {
    text: {
      ...text,
      title: text.title ?? facts?.title,
      artist: text.artist ?? facts?.artist,
    },
    audio,
    replayGain: parsed ? readReplayGain(parsed) : null,
    pictures: Math.max(log.pictures, parsed?.common.picture?.length ?? 0),
    pictureBytes: log.pictureBytes,
    problems: [
      ...(isWhole ? [] : ['tags' as const]),
      ...(audio.durationSeconds === null ? ['audio' as const] : []),
    ],
  };
}

/** Every kind of failure here is a kind of damage, or the cost limit: nothing tells them apart. */
async function settle<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch {
    return undefined;
  }
}

interface Facts extends AsfFacts, ChunkFacts, MatroskaFacts, OggFacts {
  readonly mpeg?: MpegAudio | undefined;
  readonly mp4?: Mp4Facts;
}

async function scan(
  source: ByteSource,
  format: AudioFormat,
  log: PictureLog,
  now: () => number,
): Promise<Facts> {
  switch (format) {
    case 'mp3':
    case 'aac': {
      const first = await scanId3(source, 0, log);
      const end = await scanTrailer(source, log);
      return { mpeg: await readMpegAudio(source, { first, end }, now) };
    }
    case 'flac':
      await scanFlac(source, await scanId3(source, 0, log), log);
      return {};
    case 'mp4':
      return { mp4: await scanMp4(source, log) };
    case 'ogg':
      return scanOgg(source, log);
    case 'wav':
    case 'aiff':
      return scanChunks(source, log);
    case 'webm':
      return scanMatroska(source, log);
    case 'wma':
      return scanAsf(source, log);
  }
}

interface ParsedTags {
  /** what was found until the end, or until the damage */
  readonly parsed: IAudioMetadata | undefined;
  readonly isWhole: boolean;
}

async function parseTags(source: ByteSource, format: AudioFormat): Promise<ParsedTags> {
  const tokenizer = new RangeTokenizer(source, PARSER_TYPES[format]);
  const isMeasured = format === 'mp3' || format === 'aac';
  let found: IAudioMetadata | undefined;
  const observer = (event: { readonly metadata: IAudioMetadata }): void => {
    found = event.metadata;
  };
  const options = { duration: !isMeasured, skipCovers: true, observer };
  const parsed = await settle(parseFromTokenizer(tokenizer, options));
  return { parsed: parsed ?? found, isWhole: parsed !== undefined };
}

// The decoder's rate, whatever was put in; RFC 7845 §5.1
const OPUS_SAMPLE_RATE_HZ = 48_000;

function resolveAudio(
  parsed: IAudioMetadata | undefined,
  facts: Facts,
  format: AudioFormat,
): TrackAudio {
  if (format === 'mp3' || format === 'aac') return resolveMpeg(parsed, facts.mpeg);
  const said = parsed?.format;
  const codec = facts.asf?.codec
    ? resolveCodecName(facts.asf.codec)
    : resolveCodec(format, said, facts.waveFormatTag);
  const bitsPerSample = facts.asf?.bitsPerSample ?? said?.bitsPerSample ?? null;
  const sampleRateHz =
    facts.asf?.sampleRateHz ?? facts.mp4?.sampleRateHz ?? said?.sampleRate ?? null;
  return {
    codec: codec.name,
    isLossless: codec.isLossless,
    container: format === 'ogg' ? 'Ogg' : (said?.container ?? null),
    sampleRateHz: codec.name === 'opus' ? OPUS_SAMPLE_RATE_HZ : sampleRateHz,
    channels: facts.asf?.channels ?? facts.mp4?.channels ?? said?.numberOfChannels ?? null,
    bitsPerSample: codec.isLossless === true ? bitsPerSample : null,
    durationSeconds: resolveDuration(said?.duration, facts),
    bitRateBps: facts.asf?.bitRateBps ?? (hasAverageBitRate(format) ? said?.bitrate : null) ?? null,
  };
}

function resolveDuration(saidSeconds: number | undefined, facts: Facts): number | null {
  const { durationSeconds, initialSeconds } = facts.mp4 ?? {};
  if (durationSeconds !== undefined) return durationSeconds;
  if (initialSeconds !== undefined) return initialSeconds + (saidSeconds ?? 0);
  return saidSeconds ?? facts.measuredDurationSeconds ?? null;
}

/** Ogg states a nominal rate, WebM none. */
function hasAverageBitRate(format: AudioFormat): boolean {
  return format === 'flac' || format === 'mp4' || format === 'wav' || format === 'aiff';
}

function resolveMpeg(parsed: IAudioMetadata | undefined, mpeg: MpegAudio | undefined): TrackAudio {
  // what music-metadata believes without frames is noise
  return {
    codec: mpeg?.codec ?? null,
    isLossless: mpeg ? false : null,
    container: mpeg ? (parsed?.format.container ?? null) : null,
    sampleRateHz: mpeg?.sampleRateHz ?? null,
    channels: mpeg?.channels ?? null,
    bitsPerSample: null,
    durationSeconds: mpeg?.durationSeconds ?? null,
    ...(mpeg?.isEstimate === true ? { isDurationEstimate: true as const } : {}),
    bitRateBps: mpeg?.bitRateBps ?? null,
  };
}
