import { AppError } from '../errors';

/** What a track can be transcoded to, and the bit rates of each in kbit/s; none where it follows. */
export const TRANSCODE_BITRATES = {
  mp3: [64, 96, 128, 160, 192, 256, 320],
  aac: [64, 96, 128, 160, 192, 256],
  opus: [32, 48, 64, 96, 128, 160, 192, 256],
  flac: [],
  wav: [],
} as const satisfies Readonly<Record<string, readonly number[]>>;

export type TranscodeFormat = keyof typeof TRANSCODE_BITRATES;

const FORMATS = Object.keys(TRANSCODE_BITRATES) as readonly TranscodeFormat[];
/** In kbit/s; lossless forms have none. */
export const DEFAULT_BITRATES = { mp3: 192, aac: 128, opus: 96 } as const;
/** What `maxBitrate` may be, in kbit/s; both inclusive. */
export const MAX_BITRATE_KBPS = { least: 32, most: 2000 };
export const LONGEST_START_SECONDS = 1_000_000;
/** The words of each parameter that takes one of a few. */
export const TRANSCODE_CHOICES = {
  format: ['original', 'auto', ...FORMATS],
  gain: ['track'],
  channels: ['1', '2'],
} as const;

/** A transcode as it was asked for. */
export interface TranscodeOptions {
  readonly format: TranscodeFormat;
  /** constant, of the whole stream; undefined for lossless ones */
  readonly bitrateKbps: number | undefined;
  /** seconds of the track that are left out at its beginning; milliseconds count */
  readonly startSeconds: number;
  /** played at the target loudness */
  readonly isLeveled: boolean;
  /** undefined: those of the track, two at most */
  readonly channels: 1 | 2 | undefined;
}

/** The service chooses. */
export interface AutomaticOptions extends Omit<TranscodeOptions, 'format' | 'bitrateKbps'> {
  readonly format: 'auto';
  /** kbit/s */
  readonly maxBitrateKbps: number;
}

const NAMES = ['format', 'bitrate', 'maxBitrate', 'start', 'gain', 'channels'] as const;
type Name = (typeof NAMES)[number];
type Values = Readonly<Partial<Record<Name, string>>>;

/**
 * Reads what form of a track is asked for. Parameters that are not ours are left alone: players
 * append what they like.
 *
 * @returns undefined for the stored original
 * @throws AppError `bad_request` naming what is allowed
 */
export function parseTranscodeOptions(
  query: URLSearchParams,
): TranscodeOptions | AutomaticOptions | undefined {
  // without it nothing is ours: the query of an original has always been its reader's
  if (!query.has('format')) return undefined;
  const values = readValues(query);
  const format = readChoice(values, 'format', TRANSCODE_CHOICES.format);
  if (format === undefined || format === 'original') {
    refuseOthers(values, ['format'], 'needs format to be auto or one of ' + FORMATS.join(', '));
    return undefined;
  }
  const form = {
    startSeconds: readStart(values.start),
    isLeveled: readChoice(values, 'gain', TRANSCODE_CHOICES.gain) !== undefined,
    channels: readChannels(values),
  };
  if (format === 'auto') {
    refuse(values, 'bitrate', 'format=auto takes maxBitrate instead of bitrate');
    return { format, maxBitrateKbps: readMaxBitrate(values.maxBitrate), ...form };
  }
  refuse(values, 'maxBitrate', 'maxBitrate needs format=auto');
  return { format, bitrateKbps: readBitrate(values, format), ...form };
}

/** The best that fits into a line of so many kbit/s. */
export function chooseWithin(
  maxBitrateKbps: number,
): Pick<TranscodeOptions, 'format' | 'bitrateKbps'> {
  // MP3 can be sought in from the first play on; below its good rates AAC, then Opus, sound better
  const [format, least] =
    maxBitrateKbps >= 128
      ? (['mp3', 128] as const)
      : maxBitrateKbps >= 64
        ? (['aac', 64] as const)
        : (['opus', 32] as const);
  const fitting = TRANSCODE_BITRATES[format].filter((rate) => rate <= maxBitrateKbps);
  return { format, bitrateKbps: Math.max(least, ...fitting) };
}

function readValues(query: URLSearchParams): Values {
  const values: Partial<Record<Name, string>> = {};
  for (const name of NAMES) {
    const [value, ...others] = query.getAll(name);
    if (others.length > 0) throw badRequest(`${name} must be given once`);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

function readChoice<Choice extends string>(
  values: Values,
  name: Name,
  choices: readonly Choice[],
): Choice | undefined {
  const value = values[name];
  if (value === undefined) return undefined;
  const choice = choices.find((other) => other === value);
  if (choice === undefined) throw badRequest(`${name} must be one of ${choices.join(', ')}`);
  return choice;
}

function readChannels(values: Values): 1 | 2 | undefined {
  const channels = readChoice(values, 'channels', TRANSCODE_CHOICES.channels);
  return channels === undefined ? undefined : channels === '1' ? 1 : 2;
}

function readBitrate(values: Values, format: TranscodeFormat): number | undefined {
  if (format === 'flac' || format === 'wav') {
    refuse(values, 'bitrate', `${format} is lossless and takes no bitrate`);
    return undefined;
  }
  const choice = readChoice(values, 'bitrate', TRANSCODE_BITRATES[format].map(String));
  return choice === undefined ? DEFAULT_BITRATES[format] : Number(choice);
}

function readMaxBitrate(value: string | undefined): number {
  if (value === undefined) return Infinity;
  const { least, most } = MAX_BITRATE_KBPS;
  const kbps = /^\d{1,4}$/.test(value) ? Number(value) : 0;
  if (kbps < least || kbps > most) {
    throw badRequest(`maxBitrate must be a whole number of kbit/s from ${least} to ${most}`);
  }
  return kbps;
}

function readStart(value: string | undefined): number {
  if (value === undefined) return 0;
  const seconds = /^\d{1,7}(?:\.\d{1,3})?$/.test(value) ? Number(value) : Infinity;
  if (seconds > LONGEST_START_SECONDS) {
    throw badRequest('start must be seconds, with at most three decimals');
  }
  return seconds;
}

function refuse(values: Values, name: Name, message: string): void {
  if (values[name] !== undefined) throw badRequest(message);
}

function refuseOthers(values: Values, allowed: readonly Name[], reason: string): void {
  const name = NAMES.find((other) => !allowed.includes(other) && values[other] !== undefined);
  if (name !== undefined) throw badRequest(`${name} ${reason}`);
}

function badRequest(message: string): AppError {
  return new AppError('bad_request', message);
}
