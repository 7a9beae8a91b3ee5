import { type Request, type RequestHandler } from 'express';
import { AppError } from '../errors';
import { type Grant, type Playbacks } from '../services/playback';
import { type PlaybackGrants } from '../services/playback-grants';
import { vouchFor } from './authenticate';
import { exchangeOf } from './exchange';
import { findGrants, hasTokenInQuery } from './query-credentials';
import { type Quota } from './rate-limit';

export interface AuthenticateGrantDeps {
  readonly grants: Pick<PlaybackGrants, 'verify'>;
  readonly playbacks: Pick<Playbacks, 'isOpen' | 'attend'>;
  /** counts failures of an address */
  readonly failures: Quota;
}

/**
 * `?grant=` -> a principal for `authenticate` to find, on routes that a grant opens; there is none on
 * all others, so it opens nothing else. Their parameters must be those that were signed.
 *
 * Whoever shows something beside the grant, or none, is left to `authenticate`.
 */
export function createAuthenticateGrant({
  grants,
  playbacks,
  failures,
}: AuthenticateGrantDeps): RequestHandler {
  const open = async (req: Request, text: string): Promise<Grant> => {
    const { params, context } = req;
    const { trackId, id } = params;
    const grant = grants.verify(text, String(trackId));
    if (id !== undefined && id !== grant.id) {
      throw new AppError('invalid_grant', 'The address is for another playback');
    }
    context.entry.playback = grant.id;
    context.entry.subject = grant.subject;
    if (await playbacks.isOpen(grant)) return grant;
    throw grantEnded();
  };

  return async (req, res, next) => {
    const [text, ...others] = findGrants(req);
    const isAlone = others.length === 0 && req.headers.authorization === undefined;
    if (text === undefined || !isAlone || hasTokenInQuery(req)) {
      next();
      return;
    }
    try {
      const grant = await open(req, text);
      const { subject } = grant;
      vouchFor(req, { subject, grant, mayOpen: (trackId) => trackId === grant.trackId });
      if (req.method !== 'POST') {
        const attendance = playbacks.attend(grant, () => {
          req.context.cut('grant-ended');
        });
        exchangeOf(req, res).onOver(() => {
          attendance.release();
        });
      }
    } catch (error) {
      if (error instanceof AppError) await failures.count(req, res);
      throw error;
    }
    next();
  };
}

/** What whoever shows a grant is told that opens nothing any more. */
export function grantEnded(): AppError {
  return new AppError('grant_ended', 'The address was revoked, or its time is over');
}
