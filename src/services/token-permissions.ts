import { AppError } from '../errors';

/** Claims of a token, not looked at yet. */
export type Claims = Readonly<Record<string, unknown>>;

/** What a `tracks` claim allows. */
export interface AllowedTracks {
  /** entries of the claim, which is what it takes to remember it */
  readonly count: number;
  readonly mayOpen: (trackId: string) => boolean;
}

const MAX_TRACKS = 256;

/**
 * Whether a token has a scope, in `scope` (RFC 8693 §4.2) or `scp`, as some issuers call it. What is
 * not in one of the usual forms grants nothing.
 */
export function hasScope({ scope, scp }: Claims, wanted: string): boolean {
  const listed = Array.isArray(scp) ? (scp as readonly unknown[]) : split(scp);
  return split(scope).includes(wanted) || listed.includes(wanted);
}

function split(scopes: unknown): readonly unknown[] {
  return typeof scopes === 'string' ? scopes.split(' ') : [];
}

/**
 * Reads the claim that limits a token to some tracks: ids, and beginnings of ids that end in `*`.
 * Names are found in either normalisation form, so they are compared in one.
 *
 * @returns undefined when the token opens every track
 * @throws AppError `invalid_token` for a claim that is anything else: a limit that is not understood must hold
 */
export function readAllowedTracks({ tracks }: Claims): AllowedTracks | undefined {
  if (tracks === undefined) return undefined;
  if (!Array.isArray(tracks) || tracks.length > MAX_TRACKS || !tracks.every(isEntry)) {
    throw new AppError(
      'invalid_token',
      'The token names its tracks in a way that is not supported',
    );
  }
  const entries = tracks.map((entry) => entry.normalize('NFC'));
  const ids = new Set(entries.filter((entry) => !entry.endsWith('*')));
  const prefixes = entries
    .filter((entry) => entry.endsWith('*'))
    .map((entry) => entry.slice(0, -1));
  return {
    count: entries.length,
    mayOpen(trackId) {
      const id = trackId.normalize('NFC');
      return ids.has(id) || prefixes.some((prefix) => id.startsWith(prefix));
    },
  };
}

function isEntry(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
