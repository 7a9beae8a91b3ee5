import { Router, type RequestHandler } from 'express';

export interface OpsRoutesDeps {
  /** what even these routes pass: nothing that can fail or wait */
  readonly before: readonly RequestHandler[];
  readonly health: RequestHandler;
  readonly ready: RequestHandler;
}

/** /health and /health/ready: ahead of all other middleware, outside authentication and quota. */
export function createOpsRoutes({ before, health, ready }: OpsRoutesDeps): Router {
  const router = Router({ caseSensitive: true });
  router.all('/health', ...before, health);
  router.all('/health/ready', ...before, ready);
  return router;
}
