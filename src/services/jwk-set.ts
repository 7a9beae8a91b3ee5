import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { toTokenKey, type TokenKey } from './token-keys';

/** Issuers have two or three; what goes beyond costs time at each refresh and helps nobody. */
const MAX_KEYS = 32;
/**
 * Base64 is how AWS Cognito names its keys. A name goes into comparisons alone, and still no address,
 * query or way out of a folder is one.
 */
const KID = /^(?:[\w.-]{1,64}|[A-Za-z\d+/]{1,62}={0,2})$/;

type Members = Readonly<Record<string, unknown>>;

/**
 * Reads a JWK set (RFC 7517 §5). Keys that are not for verifying RS256 or ES256 signatures, that are
 * broken, or that show their private half are left out; of more than 32 keys the first count.
 *
 * @param set parsed JSON
 * @throws TypeError when it is no JWK set
 */
export function parseKeySet(set: unknown): readonly TokenKey[] {
  if (!isObject(set) || !Array.isArray(set.keys)) throw new TypeError('no JWK set');
  return set.keys.slice(0, MAX_KEYS).flatMap((member: unknown) => {
    const key = isObject(member) && isForVerifying(member) ? toKey(member) : undefined;
    return key && isForAlgorithm(member as Members, key) ? [key] : [];
  });
}

/** Whether a key may be named so. */
export function isKid(value: unknown): value is string {
  return typeof value === 'string' && KID.test(value);
}

function isForVerifying({ kid, use, key_ops: operations, d }: Members): boolean {
  return (
    (kid === undefined || isKid(kid)) &&
    (use === undefined || use === 'sig') &&
    (operations === undefined || (Array.isArray(operations) && operations.includes('verify'))) &&
    // a private key that was published signs for everybody
    d === undefined
  );
}

function isForAlgorithm({ alg }: Members, { algorithm }: TokenKey): boolean {
  return alg === undefined || alg === algorithm;
}

function toKey({ kty, crv, n, e, x, y, kid }: Members): TokenKey | undefined {
  // nothing else of what the issuer sent reaches the library; `oct`, a secret, is no public key
  const jwk = kty === 'RSA' ? { kty, n, e } : { kty: 'EC', crv, x, y };
  if (kty !== 'RSA' && kty !== 'EC') return undefined;
  try {
    const key = createPublicKey({ format: 'jwk', key: jwk as JsonWebKey });
    return toTokenKey(key, kid as string | undefined);
  } catch {
    // one bad key does not spoil the others
    return undefined;
  }
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null;
}
