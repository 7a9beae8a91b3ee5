import cors from 'cors';
import { Router, type RequestHandler } from 'express';
import helmet from 'helmet';

export const ALLOWED_METHODS = 'GET, HEAD, OPTIONS';

const ALLOWED_FIELDS = [
  'Authorization',
  'Range',
  'If-Range',
  'If-Match',
  'If-None-Match',
  'If-Modified-Since',
  'If-Unmodified-Since',
  'X-Request-Id',
];

export const EXPOSED_FIELDS = [
  'Content-Range',
  'Accept-Ranges',
  'Content-Length',
  'Content-Disposition',
  'ETag',
  'Last-Modified',
  'Retry-After',
  'WWW-Authenticate',
  'RateLimit',
  'RateLimit-Policy',
  'X-Request-Id',
];

/** The longest that Chromium keeps a preflight. */
const PREFLIGHT_MAX_AGE_SECONDS = 7_200;

/** Answers OPTIONS, which must not meet authentication or quota: a preflight carries no token. */
export function createOptionsAnswer(): RequestHandler {
  return (req, res, next) => {
    if (req.method === 'OPTIONS') res.set('Allow', ALLOWED_METHODS).status(204).end();
    else next();
  };
}

/**
 * What browsers need on every answer, errors included: CORS, and helmet's security fields with
 * `Cross-Origin-Resource-Policy: cross-origin`, without which a page of another site cannot play
 * from us, while our log would show healthy answers.
 *
 * @param origins allowed to read answers; `*` for any
 */
export function createBrowserFields(origins: '*' | readonly string[]): RequestHandler {
  const fields = Router();
  fields.use(
    helmet({
      crossOriginResourcePolicy: { policy: 'cross-origin' },
      // whoever ends TLS decides for how long, and for which of their names
      strictTransportSecurity: false,
      contentSecurityPolicy: {
        useDefaults: false,
        directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], sandbox: [] },
      },
    }),
    cors({
      origin: origins === '*' ? '*' : [...origins],
      methods: ALLOWED_METHODS.split(', '),
      allowedHeaders: ALLOWED_FIELDS,
      exposedHeaders: EXPOSED_FIELDS,
      maxAge: PREFLIGHT_MAX_AGE_SECONDS,
      // its own answer carries a Content-Length, which a 204 must not (RFC 9110 §8.6)
      preflightContinue: true,
    }),
  );
  return fields;
}
