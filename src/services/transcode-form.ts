import { AppError } from '../errors';
import { FLAC_HEAD_BYTES, flacMetadataBytes, patchFlacStreamInfo } from '../audio/flac-stream-info';
import { fragmentedHeadBytes, patchFragmentedHead } from '../audio/fragmented-mp4-head';
import { formatInfoFrame } from '../audio/mp3-info-frame';
import { planMp3 } from '../audio/mp3-layout';
import { mp3BitRates } from '../audio/mpeg-frame';
import { OGG_OPUS_HEADER_BYTES, OPUS_SAMPLE_RATE_HZ, planOggOpus } from '../audio/ogg-opus-layout';
import {
  forcedSamplesFilter,
  mixFilter,
  mp3SampleRate,
  resampledCount,
  type Mp3SampleRateHz,
} from '../audio/sample-count';
import { formatWavHeader, planWav } from '../audio/wav-layout';
import { type SourceSound } from './source-sound';
import { type TranscodeFormat, type TranscodeOptions } from './transcode-options';

/** How a transcode is made, and what is known of it before. */
export interface TranscodeForm {
  readonly mediaType: string;
  readonly extension: string;
  /** which ffmpeg must have */
  readonly encoder: string;
  readonly muxer: string;
  readonly sampleRateHz: number;
  readonly outputOptions: readonly string[];
  /** behind any change of level */
  readonly filter: string;
  /** of the whole, `header` included; undefined where only encoding tells */
  readonly lengthBytes?: number;
  /** players look at its end before they play, for the duration */
  readonly isEndReadFirst?: boolean;
  /** goes in front of what ffmpeg writes */
  readonly header?: Buffer;
  /** the bytes that ffmpeg writes even where it found no sound */
  readonly head?: ContainerHead;
}

export interface ContainerHead {
  /** how many they are; undefined while too few are there to tell */
  measure(start: Buffer): number | undefined;
  /** puts in what is known of the whole */
  readonly patch?: (head: Buffer) => Buffer;
}

/** Output that anybody can make again, without names and dates. */
const PLAIN = ['-fflags', '+bitexact', '-flags:a', '+bitexact'];
const FRAGMENTS = '+empty_moov+default_base_moof+delay_moov+skip_trailer';
const FRAGMENT_MICROSECONDS = '250000';
const PAGE_MICROSECONDS = '1000000';

type Wanted = TranscodeOptions & { readonly source: SourceSound };

const FORMS: Readonly<Record<TranscodeFormat, (wanted: Wanted) => TranscodeForm>> = {
  mp3: formMp3,
  aac: formAac,
  opus: formOpus,
  flac: formFlac,
  wav: formWav,
};

/**
 * Decides how a track is transcoded.
 *
 * @throws AppError `bad_request` for what the track cannot be turned into
 */
export function resolveForm(options: TranscodeOptions, source: SourceSound): TranscodeForm {
  const { format, startSeconds } = options;
  if ((format === 'flac' || format === 'wav') && !source.isLossless) {
    throw new AppError('bad_request', `This track is lossy: ${format} would only make it larger`);
  }
  if (startSeconds > 0 && startSeconds >= endSeconds(source)) {
    throw new AppError('bad_request', 'start must be before the end of the track');
  }
  return FORMS[format]({ ...options, source });
}

/** By the samples where they are counted: the duration of the shortest tracks is rounded to 0. */
function endSeconds({ samples, sampleRateHz, durationSeconds }: SourceSound): number {
  return samples === null ? (durationSeconds ?? Infinity) : samples / sampleRateHz;
}

/** How many channels a transcode has. */
export function playedChannels(
  { channels }: Pick<TranscodeOptions, 'channels'>,
  source: SourceSound,
): 1 | 2 {
  return channels ?? (source.channels === 1 ? 1 : 2);
}

interface OutputForm {
  readonly sampleRateHz: number;
  readonly channels: 1 | 2;
  /** per channel; undefined where the source's are not known */
  readonly samples: number | undefined;
}

function outputForm(wanted: Wanted, sampleRateHz: number): OutputForm {
  const { source, startSeconds } = wanted;
  const skipped = Math.round(startSeconds * source.sampleRateHz);
  return {
    sampleRateHz,
    channels: playedChannels(wanted, source),
    samples:
      source.samples === null
        ? undefined
        : resampledCount(Math.max(1, source.samples - skipped), source.sampleRateHz, sampleRateHz),
  };
}

function filterTo({ samples, sampleRateHz, channels }: OutputForm): string {
  if (samples !== undefined) return forcedSamplesFilter({ samples, sampleRateHz, channels });
  return `${mixFilter(channels, sampleRateHz)},asetpts=N/SR/TB`;
}

/** @throws TypeError for formats that have none */
function kbpsOf({ bitrateKbps }: Wanted): number {
  if (bitrateKbps === undefined) throw new TypeError('this format has a bit rate');
  return bitrateKbps;
}

function formMp3(wanted: Wanted): TranscodeForm {
  const bitRateKbps = kbpsOf(wanted);
  const form = outputForm(wanted, mp3RateFor(wanted.source.sampleRateHz, bitRateKbps));
  const layout =
    form.samples === undefined
      ? undefined
      : planMp3(
          { ...form, sampleRateHz: mp3SampleRate(form.sampleRateHz), bitRateKbps },
          form.samples,
        );
  return {
    mediaType: 'audio/mpeg',
    extension: 'mp3',
    encoder: 'libmp3lame',
    muxer: 'mp3',
    sampleRateHz: form.sampleRateHz,
    outputOptions: [
      ...['-c:a', 'libmp3lame', '-b:a', `${bitRateKbps}k`, '-reservoir', '0'],
      ...['-write_xing', '0', '-id3v2_version', '0'],
    ],
    filter: filterTo(form),
    ...(layout ? { lengthBytes: layout.lengthBytes, header: formatInfoFrame(layout) } : {}),
  };
}

/** Low rates of sound have no high bit rates in MP3: then the sound is given twice the rate. */
function mp3RateFor(sourceRateHz: number, bitRateKbps: number): Mp3SampleRateHz {
  let rateHz = mp3SampleRate(sourceRateHz);
  while (!mp3BitRates(rateHz).includes(bitRateKbps)) rateHz = mp3SampleRate(rateHz * 2);
  return rateHz;
}

function formAac(wanted: Wanted): TranscodeForm {
  const form = outputForm(wanted, mp3SampleRate(wanted.source.sampleRateHz));
  const { samples, sampleRateHz } = form;
  return {
    mediaType: 'audio/mp4',
    extension: 'm4a',
    encoder: 'aac',
    muxer: 'mp4',
    sampleRateHz,
    outputOptions: [
      ...['-c:a', 'aac', '-b:a', `${kbpsOf(wanted)}k`, ...PLAIN],
      ...['-movflags', FRAGMENTS, '-frag_duration', FRAGMENT_MICROSECONDS],
    ],
    filter: filterTo(form),
    head: {
      measure: fragmentedHeadBytes,
      ...(samples === undefined
        ? {}
        : { patch: (head) => patchFragmentedHead(head, { samples, sampleRateHz }) }),
    },
  };
}

function formOpus(wanted: Wanted): TranscodeForm {
  const bitRateKbps = kbpsOf(wanted);
  const form = outputForm(wanted, OPUS_SAMPLE_RATE_HZ);
  const { samples, channels } = form;
  return {
    mediaType: 'audio/ogg',
    extension: 'opus',
    encoder: 'libopus',
    muxer: 'ogg',
    sampleRateHz: form.sampleRateHz,
    outputOptions: [
      ...['-c:a', 'libopus', '-vbr', 'off', '-b:a', `${bitRateKbps}k`, '-frame_duration', '20'],
      ...['-application', 'audio', ...PLAIN, '-page_duration', PAGE_MICROSECONDS],
    ],
    filter: filterTo(form),
    isEndReadFirst: true,
    head: { measure: () => OGG_OPUS_HEADER_BYTES },
    ...(samples === undefined
      ? {}
      : { lengthBytes: planOggOpus({ channels, bitRateKbps }, samples).lengthBytes }),
  };
}

function formFlac(wanted: Wanted): TranscodeForm {
  const { source } = wanted;
  const form = outputForm(wanted, source.sampleRateHz);
  const { samples } = form;
  return {
    mediaType: 'audio/flac',
    extension: 'flac',
    encoder: 'flac',
    muxer: 'flac',
    sampleRateHz: form.sampleRateHz,
    outputOptions: ['-c:a', 'flac', '-sample_fmt', isDeep(source) ? 's32' : 's16', ...PLAIN],
    filter: filterTo(form),
    head: {
      measure: flacMetadataBytes,
      ...(samples === undefined ? {} : { patch: (head) => patchFlacHead(head, samples) }),
    },
  };
}

function patchFlacHead(head: Buffer, samples: number): Buffer {
  const streamInfo = patchFlacStreamInfo(head.subarray(0, FLAC_HEAD_BYTES), samples);
  return streamInfo ? Buffer.concat([streamInfo, head.subarray(FLAC_HEAD_BYTES)]) : head;
}

function formWav(wanted: Wanted): TranscodeForm {
  const { source } = wanted;
  const bitsPerSample = isDeep(source) ? 24 : 16;
  const form = outputForm(wanted, source.sampleRateHz);
  if (form.samples === undefined) {
    throw new AppError('bad_request', 'The length of this track is not known: ask for flac');
  }
  const layout = planWav({ ...form, bitsPerSample }, form.samples);
  if (layout.kind === 'too_large') {
    throw new AppError('bad_request', 'This track is too long for wav: ask for flac');
  }
  return {
    mediaType: 'audio/wav',
    extension: 'wav',
    encoder: `pcm_s${bitsPerSample}le`,
    muxer: `s${bitsPerSample}le`,
    sampleRateHz: form.sampleRateHz,
    outputOptions: ['-c:a', `pcm_s${bitsPerSample}le`],
    filter: filterTo({ ...form, samples: layout.samples }),
    lengthBytes: layout.lengthBytes,
    header: formatWavHeader(layout),
  };
}

function isDeep({ bitsPerSample }: SourceSound): boolean {
  return (bitsPerSample ?? 16) > 16;
}
