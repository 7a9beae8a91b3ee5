import { type RequestHandler } from 'express';
import { AppError } from '../errors';
import { closeAfter } from './linger';
import { announcesContent } from './refuse-content';

/** What every address but those below answers to. */
export const ALLOWED_METHODS = 'GET, HEAD, OPTIONS';

/** Below a track, by what follows its id; as in the routes, with or without a slash at the end. */
const OTHER_METHODS = [
  [/^\/(?:prepare|playback|playback\/[^/]+\/progress)\/?$/, 'POST, OPTIONS'],
  [/^\/playback\/[^/]+\/?$/, 'PUT, DELETE, OPTIONS'],
] as const;

/** The methods of an address (RFC 9110 §10.2.1), which may come with its origin (RFC 9112 §3.2.2). */
export function allowedMethods(url: string): string {
  const [, path = ''] = /^(?:https?:\/\/[^/?#]*)?\/api\/stream\/[^/?#]+(\/[^?#]+)/i.exec(url) ?? [];
  return OTHER_METHODS.find(([form]) => form.test(path))?.[1] ?? ALLOWED_METHODS;
}

/** 405 for what the address does not answer to (RFC 9110 §15.5.6). */
export function createMethodGuard(): RequestHandler {
  return (req, res, next) => {
    const methods = allowedMethods(req.originalUrl);
    if (methods.split(', ').includes(req.method)) {
      next();
      return;
    }
    res.set('Allow', methods);
    if (announcesContent(req.headers)) closeAfter(req, res);
    throw new AppError('method_not_allowed', `Use one of ${methods}`);
  };
}
