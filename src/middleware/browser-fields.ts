import { IncomingMessage, ServerResponse, type ClientRequest } from 'node:http';
import { Socket } from 'node:net';
import cors from 'cors';
import { type RequestHandler } from 'express';
import helmet from 'helmet';
import { ALLOWED_METHODS, allowedMethods } from './allow-methods';

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
  'X-Selected-Format',
];

const METHODS_FIELD = 'Access-Control-Allow-Methods';
const FIELDS_FIELD = 'Access-Control-Allow-Headers';

/** The longest that Chromium keeps a preflight. */
const PREFLIGHT_MAX_AGE_SECONDS = 7_200;

/** Answers OPTIONS, which must not meet authentication or quota: a preflight carries no token. */
export function createOptionsAnswer(): RequestHandler {
  return (req, res, next) => {
    if (req.method === 'OPTIONS')
      res.set('Allow', allowedMethods(req.originalUrl)).status(204).end();
    else next();
  };
}

/** Names and values in turn, as `res.writeHead()` takes them. */
export type FieldList = readonly string[];

export interface BrowserFields {
  /** The fields of every answer to a GET or HEAD from a page of this origin. */
  of(origin: string | undefined): FieldList;
  readonly handler: RequestHandler;
}

/**
 * What browsers need on every answer, errors included: CORS, and helmet's security fields with
 * `Cross-Origin-Resource-Policy: cross-origin`, without which a page of another site cannot play
 * from us, while our log would show healthy answers.
 *
 * They are the same for every request of an origin, so helmet and cors are asked once for each.
 *
 * @param origins allowed to read answers; `*` for any
 */
export function createBrowserFields(origins: '*' | readonly string[]): BrowserFields {
  const write = createFieldWriter(origins);
  const lists = new Map<string, FieldList>();

  const of = (origin: string | undefined): FieldList => {
    // all that is not allowed gets the same answer
    const key = origins !== '*' && origin !== undefined && origins.includes(origin) ? origin : '';
    const known = lists.get(key);
    if (known) return known;
    const fields = readFields(write, key);
    lists.set(key, fields);
    return fields;
  };

  return {
    of,
    handler(req, res, next) {
      if (req.method === 'OPTIONS') {
        write(req, res, () => {
          const methods = allowedMethods(req.originalUrl);
          if (methods !== ALLOWED_METHODS) {
            res.set(METHODS_FIELD, methods);
            res.set(FIELDS_FIELD, [...ALLOWED_FIELDS, 'Content-Type'].join(','));
          }
          next();
        });
        return;
      }
      setFields(res, of(req.headers.origin));
      next();
    },
  };
}

/** Sets fields on a response, one after the other. */
export function setFields(res: ServerResponse, fields: FieldList): void {
  for (let i = 0; i < fields.length; i += 2) res.setHeader(fields[i] ?? '', fields[i + 1] ?? '');
}

type FieldWriter = (req: IncomingMessage, res: ServerResponse, next: () => void) => void;

function createFieldWriter(origins: '*' | readonly string[]): FieldWriter {
  const writeSecurity = helmet({
    crossOriginResourcePolicy: { policy: 'cross-origin' },
    // whoever ends TLS decides for how long, and for which of their names
    strictTransportSecurity: false,
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], sandbox: [] },
    },
  });
  const writeCors = cors({
    origin: origins === '*' ? '*' : [...origins],
    methods: ALLOWED_METHODS.split(', '),
    allowedHeaders: ALLOWED_FIELDS,
    exposedHeaders: EXPOSED_FIELDS,
    maxAge: PREFLIGHT_MAX_AGE_SECONDS,
    // its own answer carries a Content-Length, which a 204 must not (RFC 9110 §8.6)
    preflightContinue: true,
  });
  return (req, res, next) => {
    writeSecurity(req, res, () => {
      writeCors(req, res, next);
    });
  };
}

/** What the writer puts on the answer to a GET from a page of this origin; '' for none. */
function readFields(write: FieldWriter, origin: string): FieldList {
  const request = new IncomingMessage(new Socket());
  request.method = 'GET';
  if (origin !== '') request.headers.origin = origin;
  // @types/node of this line forgets that responses have it
  const response = new ServerResponse(request) as ServerResponse &
    Pick<ClientRequest, 'getRawHeaderNames'>;
  write(request, response, () => undefined);
  return response.getRawHeaderNames().flatMap((name) => [name, String(response.getHeader(name))]);
}
