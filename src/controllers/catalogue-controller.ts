import { type Request, type RequestHandler } from 'express';
import { AppError } from '../errors';
import { describeContent } from '../middleware/send-json';
import { type Catalogue, type CatalogueQuery } from '../services/catalogue/catalogue';
import { parseCursor } from '../services/catalogue/catalogue-cursor';
import { parseQuery, readOnce, readWhole, refuseOthers } from '../services/query-values';
import { tagContent } from '../streaming/entity-tag';
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

/** What a request for the list may ask for. */
export const CATALOGUE_QUERY = { mostTracks: 200, usualTracks: 50, mostSearchCharacters: 200 };

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
      const entityTag = tagContent(content, 'c-');
      const request = { fields: readRequestFields(req.rawHeaders), now: now() };
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
    const { plan, content } = plannedListing(listing);
    if (plan.status === 412) {
      throw new AppError('precondition_failed', 'The list is not in the state that was asked for');
    }
    if (plan.status === 304) res.writeHead(304, plan.fields).end();
    else res.writeHead(200, { ...plan.fields, ...describeContent(content) }).end(content);
  };
}

/** @throws what making the list threw, now that it has been counted */
function plannedListing(listing: Listing | undefined): Listing & { readonly kind: 'planned' } {
  if (listing?.kind === 'planned') return listing;
  throw listing ? listing.error : new TypeError('no list was made for this route');
}

/** @throws AppError `bad_request` naming what is allowed */
function readQuery({ originalUrl, principal }: Request): CatalogueQuery {
  const query = parseQuery(originalUrl);
  refuseOthers(query, ['search', 'cursor', 'limit']);
  const search = readOnce(query, 'search') ?? '';
  const { mostSearchCharacters, mostTracks, usualTracks } = CATALOGUE_QUERY;
  if (Array.from(search).length > mostSearchCharacters) {
    throw new AppError('bad_request', `search may have ${mostSearchCharacters} characters`);
  }
  const cursor = readOnce(query, 'cursor');
  return {
    search,
    afterId: cursor === undefined ? undefined : parseCursor(cursor),
    limit: readWhole(query, 'limit', 1, mostTracks) ?? usualTracks,
    mayOpen: principal.mayOpen,
  };
}
