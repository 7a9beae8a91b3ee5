import { hash } from 'node:crypto';
import { type Request, type RequestHandler } from 'express';
import { AppError } from '../errors';
import { describeContent } from '../middleware/send-json';
import { type Catalogue, type CatalogueQuery } from '../services/catalogue/catalogue';
import { parseCursor } from '../services/catalogue/catalogue-cursor';
import { readOnce, readWhole, refuseOthers } from '../services/query-values';
import { readRequestFields } from '../streaming/request-fields';
import { planWithoutRange, type ResponsePlan } from '../streaming/response-plan';

/** What a request for the list came to; known before quota is asked, as a 304 costs none. */
export type Listing =
  | { readonly kind: 'planned'; readonly plan: ResponsePlan; readonly content: Buffer }
  | { readonly kind: 'failed'; readonly error: unknown };

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- the only way to extend Express' Request
  namespace Express {
    interface Request {
      listing?: Listing;
    }
  }
}

const MAX_LIMIT = 200;
const DEFAULT_LIMIT = 50;
const MAX_SEARCH_CHARACTERS = 200;

export interface SelectListingDeps {
  readonly catalogue: Pick<Catalogue, 'list'>;
  /** milliseconds since 1970 */
  readonly now: () => number;
}

/** Reads the query, takes the page, and plans the answer. A failure waits until it has been counted. */
export function createSelectListing({ catalogue, now }: SelectListingDeps): RequestHandler {
  return async (req, _res, next) => {
    try {
      const data = await catalogue.list(readQuery(req));
      const content = Buffer.from(JSON.stringify({ status: 'success', data }));
      // of the content: replicas and workers with the same library agree on it
      const entityTag = `"c-${hash('sha256', content, 'base64url').slice(0, 22)}"`;
      const request = {
        method: req.method === 'HEAD' ? 'HEAD' : 'GET',
        fields: readRequestFields(req.rawHeaders),
        now: now(),
        createBoundary: () => '',
      } as const;
      req.listing = { kind: 'planned', plan: planWithoutRange(request, entityTag), content };
    } catch (error) {
      req.listing = { kind: 'failed', error };
    }
    next();
  };
}

/** GET and HEAD /api/stream, for a listing that is planned and paid for. */
export function createCatalogueController(): RequestHandler {
  return ({ listing }, res) => {
    if (listing?.kind !== 'planned') throw listing?.error ?? new TypeError('no list was made');
    const { plan, content } = listing;
    if (plan.status === 412) {
      throw new AppError('precondition_failed', 'The list is not in the state that was asked for');
    }
    if (plan.status === 304) res.writeHead(304, plan.fields).end();
    else res.writeHead(200, { ...plan.fields, ...describeContent(content) }).end(content);
  };
}

/** @throws AppError `bad_request` naming what is allowed */
function readQuery({ originalUrl, principal }: Request): CatalogueQuery {
  const start = originalUrl.indexOf('?');
  const query = new URLSearchParams(start < 0 ? '' : originalUrl.slice(start));
  refuseOthers(query, ['search', 'cursor', 'limit']);
  const search = readOnce(query, 'search') ?? '';
  if ([...search].length > MAX_SEARCH_CHARACTERS) {
    throw new AppError('bad_request', `search may have ${MAX_SEARCH_CHARACTERS} characters`);
  }
  const cursor = readOnce(query, 'cursor');
  return {
    search,
    afterId: cursor === undefined ? undefined : parseCursor(cursor),
    limit: readWhole(query, 'limit', 1, MAX_LIMIT) ?? DEFAULT_LIMIT,
    mayOpen: principal.mayOpen,
  };
}
