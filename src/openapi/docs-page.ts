import { readFile } from 'node:fs/promises';
import { type FurtherSources } from '../middleware/page-fields';

/** A file of the page, without fields that all of them have. */
export interface DocsAsset {
  readonly name: string;
  readonly mediaType: string;
  readonly load: () => Buffer | Promise<Buffer>;
}

const SCRIPT_TYPE = 'text/javascript; charset=utf-8';
const STYLE_TYPE = 'text/css; charset=utf-8';

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>TuneTON Streaming Service: the API</title>
    <link rel="icon" href="/docs/favicon-32x32.png" type="image/png">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
    <link rel="stylesheet" href="/docs/docs.css">
  </head>
  <body>
    <div id="docs"></div>
    <noscript><a href="/openapi.json">openapi.json</a></noscript>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/docs.js"></script>
  </body>
</html>
`;

/** HEAD and OPTIONS are at every address: the page would be three times as long. */
const SCRIPT = `'use strict';
const isListed = (operation) => !['head', 'options'].includes(operation.get('method'));
const withoutRepetition = () => ({
  statePlugins: {
    spec: {
      wrapSelectors: {
        taggedOperations: (original) => (state, ...args) =>
          original(state, ...args)
            .map((tag) => tag.update('operations', (all) => all.filter(isListed)))
            .filter((tag) => tag.get('operations').size > 0),
      },
    },
  },
});
window.docs = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  docExpansion: 'list',
  persistAuthorization: false,
  validatorUrl: null,
  plugins: [withoutRepetition],
});
`;

const STYLE = `body { margin: 0; }
@media (max-width: 640px) {
  .swagger-ui .wrapper { padding: 0 10px; }
  .swagger-ui .info .title { font-size: 24px; }
  .swagger-ui .opblock .opblock-summary-description { display: none; }
}
`;

function own(name: string, mediaType: string, text: string): DocsAsset {
  return { name, mediaType, load: () => Buffer.from(text) };
}

function foreign(name: string, mediaType: string): DocsAsset {
  return { name, mediaType, load: () => readFile(require.resolve(`swagger-ui-dist/${name}`)) };
}

/** What swagger-ui needs beside its own files: its stylesheet has pictures in it. */
export const DOCS_SOURCES: FurtherSources = { 'img-src': ['data:'] };

/** The page at /docs. */
export const DOCS_PAGE = own('', 'text/html; charset=utf-8', PAGE);

/** What it is made of; nothing else of the packages is served. */
export const DOCS_ASSETS: readonly DocsAsset[] = [
  own('docs.js', SCRIPT_TYPE, SCRIPT),
  own('docs.css', STYLE_TYPE, STYLE),
  foreign('swagger-ui-bundle.js', SCRIPT_TYPE),
  foreign('swagger-ui.css', STYLE_TYPE),
  foreign('favicon-32x32.png', 'image/png'),
];
