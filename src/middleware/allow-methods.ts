import { type RequestHandler } from 'express';
import { AppError } from '../errors';
import { ALLOWED_METHODS } from './browser-fields';
import { closeAfter } from './linger';
import { announcesContent } from './refuse-content';

/** 405 for all that neither reads nor asks what can be read (RFC 9110 §15.5.6). */
export function createMethodGuard(): RequestHandler {
  return (req, res, next) => {
    if (req.method === 'GET' || req.method === 'HEAD') {
      next();
      return;
    }
    res.set('Allow', ALLOWED_METHODS);
    if (announcesContent(req.headers)) closeAfter(req, res);
    throw new AppError('method_not_allowed', `Use one of ${ALLOWED_METHODS}`);
  };
}
