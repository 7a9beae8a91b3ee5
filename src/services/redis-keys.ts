import { hash } from 'node:crypto';

/**
 * Every key the service writes. What comes from a client is hashed to a fixed length: a key can
 * neither grow with its input nor be steered into another's place. Every key has a TTL.
 */
const PREFIX = 'tuneton:';

/** Counters of opened tracks and metadata requests by subject. */
export const OPENINGS_PREFIX = `${PREFIX}quota:openings:`;
/** Counters of later requests for admitted tracks by subject. */
export const CONTINUATIONS_PREFIX = `${PREFIX}quota:continuations:`;
/** Counters of failed authentications by address. */
export const AUTH_FAILURES_PREFIX = `${PREFIX}quota:auth-failures:`;

/** What a subject is counted by; used below the prefixes above. */
export function subjectKey(subject: string): string {
  return digest(subject);
}

/** What an address is counted by. */
export function addressKey(address: string): string {
  return digest(address);
}

/** Sorted set of the tracks a subject is admitted to. */
export function admissionsKey(subject: string): string {
  return `${PREFIX}admissions:${digest(subject)}`;
}

/** A track as a member of that set. */
export function trackMember(trackId: string): string {
  return digest(trackId);
}

/**
 * @param entityTag of the track: other bytes, other metadata
 * @param shapeVersion of the cached value: replicas of two versions must not read each other's
 */
export function metadataKey(trackId: string, entityTag: string, shapeVersion: number): string {
  return `${PREFIX}metadata:${shapeVersion}:${digest(JSON.stringify([trackId, entityTag]))}`;
}

/** Sorted sets of the playbacks that count, by subject: below it lies `subjectKey()`. */
export const PLAYING_PREFIX = `${PREFIX}playing:`;

/** What is known of a playback: a hash. */
export function playbackKey(trackId: string, id: string): string {
  return `${PREFIX}playback:${digest(JSON.stringify([trackId, id]))}`;
}

/** @param name of the measurement, of characters that need no hash: see `nameOutput()` */
export function loudnessKey(name: string): string {
  return `${PREFIX}loudness:${name}`;
}

/** 128 bits of SHA-256, enough that nobody finds two inputs with one key. */
function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}
