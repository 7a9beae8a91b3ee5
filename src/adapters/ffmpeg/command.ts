import ffmpeg from 'fluent-ffmpeg';

/** Demuxers by the container that the bytes were found to be. */
const DEMUXERS = {
  mp3: 'mp3',
  flac: 'flac',
  mp4: 'mov',
  aac: 'aac',
  ogg: 'ogg',
  wav: 'wav',
  aiff: 'aiff',
  webm: 'matroska',
  wma: 'asf',
} as const;

/** A container that ffmpeg is told to read, never asked to guess. */
export type Container = keyof typeof DEMUXERS;

/** What ffmpeg is to do with the track that it is given; every part comes from a table or a number. */
export interface FfmpegCommand {
  readonly container: Container;
  /** how to get at a place in the track; from numbers alone */
  readonly seekOptions?: readonly string[];
  /** a filter graph for the one audio stream */
  readonly filter?: string;
  /** of the output: encoder, rates, muxer, and where tags would go */
  readonly outputOptions: readonly string[];
  /** of the output */
  readonly muxer: string;
  /** `info` where a filter reports there; `error` by default */
  readonly logLevel?: 'error' | 'info';
}

/** The descriptor under which the program finds the track; 0 to 2 are its own. */
const TRACK_DESCRIPTOR = 3;
/**
 * By itself it writes each frame apart, thousands in a second: to take them costs a third of
 * encoding, and five times as much as large writes do where sound is decoded.
 */
const LARGE_WRITES = ['-flush_packets', '0'];

/**
 * The arguments of a command: the track by descriptor, so no name can be taken for an address, an
 * option or a list; its demuxer fixed by the bytes, so a playlist dressed as a track opens nothing;
 * no protocol but files; one audio stream and nothing else.
 */
export function formatArguments(command: FfmpegCommand): readonly string[] {
  const { container, seekOptions = [], filter, muxer, outputOptions, logLevel = 'error' } = command;
  const demuxer = DEMUXERS[container];
  const builder = ffmpeg()
    .input(`file:/dev/fd/${TRACK_DESCRIPTOR}`)
    .inputOptions([
      ...['-nostdin', '-hide_banner', '-v', logLevel],
      ...['-protocol_whitelist', 'file,pipe', '-format_whitelist', demuxer],
      ...seekOptions,
    ])
    .inputFormat(demuxer);
  builder
    .output('pipe:1')
    .outputOptions([
      '-map',
      '0:a:0',
      '-vn',
      '-sn',
      '-dn',
      '-map_metadata',
      '-1',
      '-map_chapters',
      '-1',
    ])
    .outputOptions([...outputOptions, ...LARGE_WRITES])
    .format(muxer);
  if (filter !== undefined) builder.audioFilters(filter);
  return builder._getArguments();
}
