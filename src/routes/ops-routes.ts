import { Router, type RequestHandler } from 'express';

export interface OpsRoutesDeps {
  /** what even these routes pass: nothing that can fail or wait */
  readonly before: readonly RequestHandler[];
  readonly health: RequestHandler;
}

/** /health: ahead of all other middleware, outside authentication and quota. */
export function createOpsRoutes({ before, health }: OpsRoutesDeps): Router {
  const router = Router({ caseSensitive: true });
  router.all('/health', ...before, health);
  return router;
}
