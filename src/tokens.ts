import { createKeySetClient } from './adapters/jwks';
import { type Config } from './config';
import { type Logger } from './observability/logger';
import { createFetchedKeys } from './services/fetched-keys';
import { createRememberedTokens, type RememberedTokens } from './services/remembered-tokens';
import { createPublicKeys, createSecretKeys, type TokenKeys } from './services/token-keys';
import { createTokenVerifier } from './services/token-verifier';

export interface OpenTokens {
  readonly tokens: RememberedTokens;
  close(): void;
}

/**
 * The part of the container that verifies tokens.
 *
 * @param clock milliseconds since 1970
 */
export function openTokens(config: Config, logger: Logger, clock: () => number): OpenTokens {
  const now = (): number => clock() / 1000;
  const { keys, close } = openKeys(config, logger, clock, () => {
    tokens.forget();
  });
  const verifier = createTokenVerifier({
    keys,
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    requiredScope: config.jwtRequiredScope,
    now,
  });
  const tokens = createRememberedTokens(verifier, now);
  return { tokens, close };
}

/** Exactly one kind is configured. */
function openKeys(
  { jwtSecrets, jwtPublicKeys, jwksUrl }: Config,
  logger: Logger,
  now: () => number,
  onRemoval: () => void,
): { readonly keys: TokenKeys; readonly close: () => void } {
  if (jwksUrl !== undefined) {
    const fetchKeySet = createKeySetClient(jwksUrl);
    const keys = createFetchedKeys({ fetchKeySet, logger, onRemoval, now });
    return {
      keys,
      close() {
        keys.close();
      },
    };
  }
  const keys = jwtPublicKeys ? createPublicKeys(jwtPublicKeys) : createSecretKeys(jwtSecrets);
  return { keys, close: () => undefined };
}
