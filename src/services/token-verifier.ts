import { createSecretKey, type KeyObject } from 'node:crypto';
import { verify, JsonWebTokenError, type Jwt, type VerifyOptions } from 'jsonwebtoken';
import { AppError } from '../errors';
import { type Grant } from './playback';

/** Whom a valid token speaks for. */
export interface Principal {
  readonly subject: string;
  /** whoever shows a playback grant instead of a token may do what it says, no more */
  readonly grant?: Grant;
  /** undefined: every track */
  readonly mayOpen?: (trackId: string) => boolean;
}

export interface TokenVerifier {
  /** @throws AppError `invalid_token` whose message says what is wrong, in the words of RFC 6750 */
  verify(token: string): Principal;
}

/** A token that is valid now, and how long it goes on being so. */
export interface VerifiedToken {
  readonly principal: Principal;
  /** seconds since 1970, clock tolerance included; from then on it is refused */
  readonly refusedAtSeconds: number;
}

export interface TokenInspector extends TokenVerifier {
  /** @throws AppError as {@link TokenVerifier.verify} */
  inspect(token: string): VerifiedToken;
}

export interface TokenVerifierOptions {
  /** HMAC secrets, each one string as it stands; any of them verifies */
  readonly secrets: readonly string[];
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** seconds since 1970 */
  readonly now?: () => number;
}

/** A constant: a token that chooses its own algorithm chooses its own verdict (RFC 8725 §3.1). */
const ALGORITHMS: VerifyOptions['algorithms'] = ['HS256'];
const CLOCK_TOLERANCE_SECONDS = 30;
const MAX_TOKEN_BYTES = 4_096;
const MAX_SUBJECT_LENGTH = 128;

/** Verifies bearer tokens (RFC 7519) of one issuer. Key hints in a token's header are never followed. */
export function createTokenVerifier({
  secrets,
  issuer,
  audience,
  now = () => Date.now() / 1000,
}: TokenVerifierOptions): TokenInspector {
  // as keys, so that no secret is taken for something else because of how it looks
  const keys = secrets.map((secret) => createSecretKey(secret, 'utf8'));
  const options = (): VerifyOptions & { complete: true } => ({
    algorithms: ALGORITHMS,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    clockTimestamp: now(),
    complete: true,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  });

  const inspect = (token: string): VerifiedToken => {
    if (token.length > MAX_TOKEN_BYTES) throw invalid('The token is too long');
    return toVerified(verifyWithAny(token, keys, options()));
  };
  return { inspect, verify: (token) => inspect(token).principal };
}

/** The first secret's error is the one to tell: it is the current secret. */
function verifyWithAny(
  token: string,
  keys: readonly KeyObject[],
  options: VerifyOptions & { complete: true },
): Jwt {
  let firstError: unknown;
  for (const key of keys) {
    try {
      return verify(token, key, options);
    } catch (error) {
      firstError ??= error;
      if (!isWrongSignature(error)) throw translate(error);
    }
  }
  throw translate(firstError);
}

function toVerified({ header, payload }: Jwt): VerifiedToken {
  // an extension the issuer marked critical is one we would have to understand (RFC 7515 §4.1.11)
  if ('crit' in header) throw invalid('The token uses an extension that is not supported');
  if (typeof payload === 'string' || Array.isArray(payload))
    throw invalid('The token has no claims');
  if (typeof payload.exp !== 'number') throw invalid('The token has no expiry');
  const subject: unknown = payload.sub;
  if (typeof subject !== 'string' || subject === '' || subject.length > MAX_SUBJECT_LENGTH) {
    throw invalid(`The token needs a subject of 1 to ${MAX_SUBJECT_LENGTH} characters`);
  }
  return { principal: { subject }, refusedAtSeconds: payload.exp + CLOCK_TOLERANCE_SECONDS };
}

function isWrongSignature(error: unknown): boolean {
  return error instanceof JsonWebTokenError && error.message === 'invalid signature';
}

function translate(error: unknown): AppError {
  const reason = error instanceof Error ? error.name : '';
  const message =
    reason === 'TokenExpiredError'
      ? 'The token has expired'
      : reason === 'NotBeforeError'
        ? 'The token is not valid yet'
        : 'The token is not valid';
  return invalid(message, error);
}

function invalid(message: string, cause?: unknown): AppError {
  return new AppError('invalid_token', message, { cause });
}
