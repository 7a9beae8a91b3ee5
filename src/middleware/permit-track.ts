import { type RequestHandler } from 'express';
import { AppError } from '../errors';
import { formatChallenge } from './authenticate';

/**
 * Refuses the tracks that a token does not allow, before anybody looks whether they exist: the answer
 * is the same for all of them.
 */
export function createTrackPermission(): RequestHandler {
  return (req, res, next) => {
    if (req.principal.mayOpen?.(String(req.params.trackId)) === false) {
      const error = new AppError('insufficient_scope', 'The token does not allow this track');
      res.set('WWW-Authenticate', formatChallenge(error));
      throw error;
    }
    next();
  };
}
