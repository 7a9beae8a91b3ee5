import { type IncomingMessage } from 'node:http';
import { type Request, type RequestHandler } from 'express';
import { AppError } from '../errors';
import { type Principal, type TokenVerifier } from '../services/token-verifier';
import { countFieldLines } from '../streaming/request-fields';
import { findGrants, hasTokenInQuery } from './query-credentials';
import { type Quota } from './rate-limit';

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- the only way to extend Express' Request
  namespace Express {
    interface Request {
      principal: Principal;
    }
  }
}

export interface AuthenticateDeps {
  readonly tokens: TokenVerifier;
  /** counts failures of an address */
  readonly failures: Quota;
  /** that tokens must have, as far as one is configured */
  readonly requiredScope: string | undefined;
}

const REALM = 'TuneTON';
const BEARER = /^Bearer(?: +(?<token>.*))?$/is;
/** Another scheme and what belongs to it behind a comma: a proxy has joined two lines. */
const SECOND_CREDENTIALS = /,[ \t]*[\w!#$%&'*+.^`|~-]+ +[^ =]/;
/** b64token of RFC 6750 §2.1 */
const B64TOKEN = /^[\w.~+/-]+=*$/;

// kept with the request; see `exchange.ts` for why not in a `WeakMap`
const VOUCHED = Symbol('vouched');
type Vouched = IncomingMessage & { [VOUCHED]?: Principal };

/** Tells whom a request speaks for that has shown one set of credentials, and valid ones, before. */
export function vouchFor(req: Vouched, principal: Principal): void {
  req[VOUCHED] = principal;
}

function principalVouchedFor(req: Vouched): Principal | undefined {
  return req[VOUCHED];
}

/**
 * Bearer token -> `req.principal`, else the answers of RFC 6750 §3.
 *
 * Only failures are counted by address: many listeners share one, and none of them may be refused
 * for what a neighbour does.
 */
export function createAuthenticate({
  tokens,
  failures,
  requiredScope,
}: AuthenticateDeps): RequestHandler {
  return async (req, res, next) => {
    try {
      const verdict = principalVouchedFor(req) ?? tokens.verify(readBearerToken(req));
      req.principal = verdict instanceof Promise ? await verdict : verdict;
    } catch (error) {
      // without keys nothing is known of the token: it may well be right
      if (error instanceof AppError && error.code !== 'keys_unavailable') {
        await failures.count(req, res);
        // a word of another protocol there (RFC 6749 §5.2)
        if (error.code !== 'invalid_grant') {
          res.set('WWW-Authenticate', formatChallenge(error, requiredScope));
        }
      }
      throw error;
    }
    req.context.entry.subject = req.principal.subject;
    next();
  };
}

function readBearerToken(req: Request): string {
  if (hasTokenInQuery(req)) {
    throw new AppError('invalid_request', 'Tokens do not belong into addresses');
  }
  const field = req.headers.authorization;
  const grants = findGrants(req);
  const isTwice =
    // Node keeps the first of two lines, a proxy may have kept the other
    countFieldLines(req.rawHeaders, 'authorization') > 1 ||
    SECOND_CREDENTIALS.test(field ?? '') ||
    grants.length > (field === undefined ? 1 : 0);
  if (isTwice) throw new AppError('invalid_request', 'Send one set of credentials');

  if (grants.length > 0) {
    throw new AppError('invalid_grant', 'This needs a Bearer token, no playback address will do');
  }
  const match = BEARER.exec(field ?? '');
  if (!match) {
    // nothing sent, or a scheme that is not ours: no error code (RFC 6750 §3.1)
    throw new AppError('unauthorized', 'A Bearer token is required');
  }
  const token = match.groups?.token ?? '';
  if (!B64TOKEN.test(token)) throw new AppError('invalid_token', 'The token is not valid');
  return token;
}

/**
 * What is asked of a client that was refused (RFC 6750 §3).
 *
 * @param scope named where a token lacks it
 */
export function formatChallenge({ code, message }: AppError, scope?: string): string {
  const challenge = `Bearer realm="${REALM}"`;
  if (code === 'unauthorized') return challenge;
  const failed = `${challenge}, error="${code}", error_description="${message}"`;
  return code === 'insufficient_scope' && scope !== undefined
    ? `${failed}, scope="${scope}"`
    : failed;
}
