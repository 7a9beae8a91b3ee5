/** Text as the tags have it: of any length, and with anything in it. */
export interface TrackText {
  readonly title?: string | undefined;
  readonly artist?: string | undefined;
  readonly album?: string | undefined;
  readonly albumArtist?: string | undefined;
  readonly genre?: string | undefined;
  readonly year?: number | undefined;
  readonly trackNumber?: number | undefined;
  readonly discNumber?: number | undefined;
}

/** What the stream is; null is what the bytes do not say. */
export interface TrackAudio {
  /** in ffprobe's words where there is one: `mp3`, `aac`, `pcm_s16le` */
  readonly codec: string | null;
  readonly isLossless: boolean | null;
  readonly container: string | null;
  readonly sampleRateHz: number | null;
  readonly channels: number | null;
  readonly bitsPerSample: number | null;
  readonly durationSeconds: number | null;
  /** absent where the duration is exact */
  readonly isDurationEstimate?: true;
  /** the average; null where only a nominal one is known */
  readonly bitRateBps: number | null;
}

/** Gains in decibels, peaks as linear ratios. */
export interface ReplayGainTags {
  readonly trackGainDb: number | null;
  readonly trackPeak: number | null;
  readonly albumGainDb: number | null;
  readonly albumPeak: number | null;
}

/** All that is read from a track; plain data, since it crosses a thread. */
export interface TrackTags {
  readonly text: TrackText;
  readonly audio: TrackAudio;
  readonly replayGain: ReplayGainTags | null;
  readonly pictures: number;
  readonly pictureBytes: number;
  /** what could not be read; the rest is as good as ever */
  readonly problems: readonly ('tags' | 'audio')[];
}
