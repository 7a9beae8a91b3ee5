import { Router, type RequestHandler } from 'express';

export interface DocsRoutesDeps {
  /** what all of them pass */
  readonly before: readonly RequestHandler[];
  /** the fields of a page, on the page alone */
  readonly pageFields: RequestHandler;
  readonly description: RequestHandler;
  readonly page: RequestHandler;
  /** by name */
  readonly assets: Readonly<Record<string, RequestHandler>>;
}

/** /openapi.json and /docs: outside authentication and quota. */
export function createDocsRoutes({
  before,
  pageFields,
  description,
  page,
  assets,
}: DocsRoutesDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  router.all('/openapi.json', ...before, description);
  router.all('/docs', ...before, pageFields, page);
  for (const [name, send] of Object.entries(assets)) router.all(`/docs/${name}`, ...before, send);
  return router;
}
