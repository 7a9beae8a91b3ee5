import { createSecretKey, type KeyObject } from 'node:crypto';

/** A token that chooses its own algorithm chooses its own verdict: a key has one (RFC 8725 §3.1). */
export type TokenAlgorithm = 'HS256' | 'RS256' | 'ES256';

/** A key that signatures are verified with. */
export interface TokenKey {
  readonly key: KeyObject;
  readonly algorithm: TokenAlgorithm;
  /** its name in the issuer's set (RFC 7517 §4.5) */
  readonly kid?: string;
}

/** Knows which key a token may have been signed with. */
export interface TokenKeys {
  /**
   * Looks for the key of a token where that takes time. Settles without a verdict, and never rejects.
   *
   * @returns undefined when there is nothing to wait for
   */
  prepare(token: string): Promise<void> | undefined;
  /**
   * The keys to try on a token, the current one first; none when no key can fit.
   *
   * @throws AppError `keys_unavailable` when only the issuer could tell, and cannot be reached
   */
  candidates(token: string): readonly TokenKey[];
}

/** What a token says of itself before anybody has verified it. */
export interface TokenHeader {
  readonly alg: unknown;
  readonly kid: unknown;
}

const MIN_RSA_BITS = 2_048;
/** verifying takes longer with the square of it: 8,192 bits took 0.7 ms on a busy core */
const MAX_RSA_BITS = 8_192;

/** @param secrets of HMAC, each one string as it stands; the first is the current one */
export function createSecretKeys(secrets: readonly string[]): TokenKeys {
  // as keys, so that no secret is taken for something else because of how it looks
  const keys = secrets.map((secret): TokenKey => {
    return { key: createSecretKey(secret, 'utf8'), algorithm: 'HS256' };
  });
  return { prepare: () => undefined, candidates: () => keys };
}

/** Public keys that do not change while the process runs; any of a token's algorithm verifies. */
export function createPublicKeys(keys: readonly TokenKey[]): TokenKeys {
  return {
    prepare: () => undefined,
    candidates(token) {
      const header = readTokenHeader(token);
      return keys.filter(({ algorithm }) => algorithm === header?.alg);
    },
  };
}

/**
 * Fixes the algorithm of a public key.
 *
 * @returns undefined for keys that verify nothing here: other than RSA of 2,048 to 8,192 bits and EC on P-256
 */
export function toTokenKey(key: KeyObject, kid?: string): TokenKey | undefined {
  const algorithm = algorithmOf(key);
  return algorithm && { key, algorithm, ...(kid === undefined ? {} : { kid }) };
}

function algorithmOf({
  asymmetricKeyType,
  asymmetricKeyDetails,
}: KeyObject): TokenAlgorithm | undefined {
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'ec') return namedCurve === 'prime256v1' ? 'ES256' : undefined;
  if (asymmetricKeyType !== 'rsa') return undefined;
  const isStrong = modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS;
  // with an exponent of 1 the signature is the message
  return isStrong && publicExponent >= 3n ? 'RS256' : undefined;
}

/** @returns undefined for what is no token */
export function readTokenHeader(token: string): TokenHeader | undefined {
  try {
    const encoded = token.slice(0, Math.max(0, token.indexOf('.')));
    const header: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString());
    if (typeof header !== 'object' || header === null) return undefined;
    return {
      alg: 'alg' in header ? header.alg : undefined,
      kid: 'kid' in header ? header.kid : undefined,
    };
  } catch {
    return undefined;
  }
}
