import { Router, type RequestHandler } from 'express';

export interface PageRoutesDeps {
  readonly before: readonly RequestHandler[];
  /** by address */
  readonly page: Readonly<Record<string, RequestHandler>>;
}

/**
 * The player page at `/`, with what it loads below `/player/`: outside authentication and quota. Its
 * Service Worker may serve the page, which stands above the worker's own folder.
 */
export function createPageRoutes({ before, page }: PageRoutesDeps): Router {
  const router = Router({ caseSensitive: true });
  const allowRoot: RequestHandler = (_req, res, next) => {
    res.set('Service-Worker-Allowed', '/');
    next();
  };
  for (const [address, send] of Object.entries(page)) {
    const isWorker = address === '/player/sw.js';
    router.all(address, ...before, ...(isWorker ? [allowRoot] : []), send);
  }
  return router;
}
