import { type IAudioMetadata } from 'music-metadata';
import { type AudioFormat } from '../../services/audio-format';
import { type ByteSource, createEditedSource } from './byte-source';
import { resolveCodec, resolveCodecName } from './codec';
import { type MpegAudio, readMpegAudio } from './mpeg-audio';
import { PictureLog } from './picture-scan';
import { readReplayGain } from './replay-gain';
import { runParser, settle } from './run-parser';
import { type Facts, scanTags } from './scan-tags';
import { type TrackAudio, type TrackTags } from './track-tags';
import { readText } from './track-text';

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
  const facts = (await settle(scanTags(source, format, log))) ?? {};
  const { mpegSpan } = facts;
  const mpeg = mpegSpan && (await settle(readMpegAudio(source, mpegSpan, now)));
  const edited = createEditedSource(source, log.edits);
  const { parsed, isWhole } = await runParser(edited, facts.parseAs ?? format, {
    duration: !isMeasured(format),
    skipCovers: true,
  });
  const audio = isMeasured(format)
    ? resolveMpeg(parsed, mpeg)
    : resolveAudio(parsed, facts, format);
  const text = parsed ? readText(parsed) : {};
  return {
    text: {
      ...text,
      title: text.title ?? facts.title,
      artist: text.artist ?? facts.artist,
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

function isMeasured(format: AudioFormat): boolean {
  return format === 'mp3' || format === 'aac';
}

// The decoder's rate, whatever was put in; RFC 7845 §5.1
const OPUS_SAMPLE_RATE_HZ = 48_000;

function resolveAudio(
  parsed: IAudioMetadata | undefined,
  facts: Facts,
  format: AudioFormat,
): TrackAudio {
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
