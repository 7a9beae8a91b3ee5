import { AppError } from '../errors';

/** What a playback grant says, as it was signed. */
export interface Grant {
  /** 22 characters of base64url, 128 random bits */
  readonly id: string;
  readonly subject: string;
  readonly trackId: string;
  /** hard end in seconds since 1970; without Redis nothing moves it */
  readonly signedEndSeconds: number;
}

/** A grant that is about to be given out. */
export interface NewPlayback extends Grant {
  /** of the track; null where it is not known */
  readonly durationSeconds: number | null;
}

/** One of a subject's playbacks that count now. */
export interface RunningPlayback {
  readonly id: string;
  readonly trackId: string;
  /** milliseconds since 1970 */
  readonly startedAtMs: number;
  /** milliseconds since 1970, of the last byte or report */
  readonly lastActiveAtMs: number;
}

export type PlaybackState = 'playing' | 'paused' | 'stopped';

/** What a player says of itself. */
export interface Progress {
  readonly positionSeconds: number;
  readonly state: PlaybackState;
}

/** What is known of playbacks beyond what their grants say; shared by all replicas through Redis. */
export interface Playbacks {
  /**
   * Notes a new playback, within the cap.
   *
   * @param takeover ends the subject's oldest playbacks instead of refusing
   * @throws AppError of {@link tooManyPlaybacks}
   */
  begin(playback: NewPlayback, takeover: boolean): Promise<void>;
  /**
   * Whether a grant whose signature is right opens anything now: not revoked and not at its end. What
   * was learned may be up to a tenth of a second old. Who asks is about to use it: the playback counts.
   */
  isOpen(grant: Grant): Promise<boolean>;
  /**
   * A response by the grant begins. Its playback counts until `release()`, and some time after.
   *
   * @param onEnded is called once when the playback is ended by somebody meanwhile
   */
  attend(grant: Grant, onEnded: () => void): { release(): void };
  /**
   * Moves the end later.
   *
   * @returns the new end in milliseconds since 1970; undefined when the subject has no such playback
   */
  extend(trackId: string, id: string, subject: string): Promise<number | undefined>;
  /** Ends a playback for good. @returns false when the subject has no such playback */
  end(trackId: string, id: string, subject: string): Promise<boolean>;
  /**
   * Notes where a player is.
   *
   * @returns undefined when the subject has no such playback
   */
  report(
    trackId: string,
    id: string,
    subject: string,
    progress: Progress,
  ): Promise<{ readonly endsAtMs: number; readonly isCounted: boolean } | undefined>;
}

/** The refusal of a playback beyond the cap, which names those in its way. */
export function tooManyPlaybacks(running: readonly RunningPlayback[]): AppError {
  const playbacks = running.map(({ id, trackId, startedAtMs, lastActiveAtMs }) => ({
    id,
    trackId,
    startedAt: new Date(startedAtMs).toISOString(),
    lastActiveAt: new Date(lastActiveAtMs).toISOString(),
  }));
  return new AppError('too_many_playbacks', 'Too many tracks are being played at the same time', {
    details: { playbacks },
  });
}
