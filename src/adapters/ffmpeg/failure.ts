/**
 * Why a run gave no whole output; `killed` by a signal that was not ours: a crash, or no memory;
 * `unreadable` where the disk failed under it.
 */
export type FfmpegFailure =
  'aborted' | 'silent' | 'overtime' | 'exit' | 'killed' | 'not-started' | 'consumer' | 'unreadable';

/** A run that gave no whole output. */
export class FfmpegFailed extends Error {
  override readonly name = 'FfmpegFailed';

  constructor(
    readonly reason: FfmpegFailure,
    /** bytes that came before */
    readonly outputBytes: number,
    detail: string,
    options?: ErrorOptions,
  ) {
    super(`ffmpeg: ${reason}: ${detail}`, options);
  }
}
