import {
  createHmac,
  createSecretKey,
  hkdfSync,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import { AppError } from '../errors';
import { type Grant } from './playback';

/** What opens a track without a token: the text behind `?grant=`. */
export interface PlaybackGrants {
  /**
   * The one text of a grant, of characters that need no encoding in an address.
   *
   * @throws AppError `invalid_request` for a subject that is no Unicode: nobody could read it back
   */
  sign(grant: Grant): string;
  /**
   * Reads a text as it was sent. Whether the grant has ended is not looked at.
   *
   * @param trackId as the client wrote it, percent-decoded: other spellings of a name are other tracks
   * @throws AppError `invalid_grant` for all but a text that {@link sign} made for this track
   */
  verify(text: string, trackId: string): Grant;
}

export interface PlaybackSecrets {
  readonly playbackSecret: string | undefined;
  /** current one first */
  readonly jwtSecrets: readonly string[];
}

/** The first signs, all of them verify. */
export type PlaybackKeys = readonly [KeyObject, ...KeyObject[]];

/** Signed with the rest: a text of another form, or for another purpose, has another signature. */
const VERSION = 'tuneton-playback-1';
/** Keeps the key apart from that of the tokens (RFC 5869 §3.2). */
const KEY_INFO = 'tuneton playback grants 1';
const KEY_BYTES = 32;

/** id, end in base 36, subject, signature; subjects have at most 128 characters, of 3 bytes each */
const FORM = /^([\w-]{22})\.([\da-z]{1,8})\.([\w-]{2,512})\.[\w-]{43}$/;
const LONGEST_TEXT = 22 + 1 + 8 + 1 + 512 + 1 + 43;

/**
 * The keys of a configuration: its own secret, else keys derived from the secrets of the tokens.
 *
 * @throws TypeError when there is neither
 */
export function derivePlaybackKeys({ playbackSecret, jwtSecrets }: PlaybackSecrets): PlaybackKeys {
  if (playbackSecret !== undefined) return [createSecretKey(playbackSecret, 'utf8')];
  const [first, ...others] = jwtSecrets.map((secret) =>
    createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', KEY_INFO, KEY_BYTES))),
  );
  if (!first) throw new TypeError('nothing to sign playback grants with');
  return [first, ...others];
}

/** Signs and verifies grants; pure, and it knows no revocation. */
export function createPlaybackGrants(keys: PlaybackKeys): PlaybackGrants {
  return {
    sign(grant) {
      if (readSubject(encodeSubject(grant.subject)) !== grant.subject) {
        throw new AppError('invalid_request', 'The subject of the token is not valid Unicode');
      }
      return formatGrant(grant, keys[0]);
    },
    verify(text, trackId) {
      const grant = readGrant(text, trackId);
      if (grant && keys.some((key) => isSame(text, formatGrant(grant, key)))) return grant;
      throw new AppError('invalid_grant', 'The address is not one of ours, or not for this track');
    },
  };
}

/** What a text says, right or not; whoever compares it with the text of that sees to its form. */
function readGrant(text: string, trackId: string): Grant | undefined {
  if (text.length > LONGEST_TEXT) return undefined;
  const [, id, end, subject] = FORM.exec(text) ?? [];
  if (id === undefined || end === undefined || subject === undefined) return undefined;
  return {
    id,
    subject: readSubject(subject),
    trackId,
    signedEndSeconds: parseInt(end, 36),
  };
}

function formatGrant({ id, subject, trackId, signedEndSeconds }: Grant, key: KeyObject): string {
  // JSON: no value can be taken for a part of its neighbour
  const signed = JSON.stringify([VERSION, id, signedEndSeconds, subject, trackId]);
  const signature = createHmac('sha256', key).update(signed).digest('base64url');
  return `${id}.${signedEndSeconds.toString(36)}.${encodeSubject(subject)}.${signature}`;
}

function encodeSubject(subject: string): string {
  return Buffer.from(subject).toString('base64url');
}

function readSubject(encoded: string): string {
  return Buffer.from(encoded, 'base64url').toString();
}

/** In constant time for texts of one length, which is no secret. */
function isSame(sent: string, canonical: string): boolean {
  const [a, b] = [Buffer.from(sent), Buffer.from(canonical)];
  return a.length === b.length && timingSafeEqual(a, b);
}
