import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import {
  type Principal,
  type TokenInspector,
  type TokenVerifier,
  type VerifiedToken,
} from './token-verifier';

/** A verifier that need not verify a token it has found valid before. */
export interface RememberedTokens extends TokenVerifier {
  /** Whom a token speaks for that was verified before and is valid still; undefined for all others. */
  recall(token: string): Principal | undefined;
  /** Verifies all tokens anew: a key that some were verified with is not trusted any more. */
  forget(): void;
}

/** Bounds this process: about 3 MB when full. A token forgotten is verified again. */
const MAX_TOKENS = 10_000;
/** of all tokens together: 5 MB with short ids; no token names more than fit into 4 kB */
const MAX_TRACKS = 100_000;

/**
 * Remembers verdicts: a player sends the same token with every seek, and verifying is the dearest
 * step of a request. Only what was found valid is remembered, until the moment it would be refused;
 * by a digest, so that no credentials lie about in memory.
 *
 * @param now seconds since 1970
 */
export function createRememberedTokens(
  tokens: TokenInspector,
  now: () => number = () => Date.now() / 1000,
): RememberedTokens {
  const verified = new LRUCache<string, VerifiedToken>({
    max: MAX_TOKENS,
    maxSize: MAX_TOKENS + MAX_TRACKS,
    sizeCalculation: ({ trackCount = 0 }) => 1 + trackCount,
  });

  const recallBy = (key: string): Principal | undefined => {
    const known = verified.get(key);
    if (!known) return undefined;
    if (now() < known.refusedAtSeconds) return known.principal;
    verified.delete(key);
    return undefined;
  };

  const remember = (token: string, key: string): Principal => {
    const fresh = tokens.inspect(token);
    verified.set(key, fresh);
    return fresh.principal;
  };

  return {
    recall: (token) => recallBy(digest(token)),
    forget() {
      verified.clear();
    },
    verify(token) {
      const key = digest(token);
      const known = recallBy(key);
      if (known) return known;
      // inspected and kept in one go: no key can be removed in between
      return tokens.prepare(token)?.then(() => remember(token, key)) ?? remember(token, key);
    },
  };
}

/** As strong as the signatures it stands for: who could find two tokens with one digest could forge. */
function digest(token: string): string {
  return hash('sha256', token, 'base64url');
}
