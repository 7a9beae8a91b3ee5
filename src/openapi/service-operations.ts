import { type ErrorCode } from '../errors';
import { DOCS_ASSETS, DOCS_PAGE, type DocsAsset } from './docs-page';
import { type Answer, type Operation } from './operation';
import { TAG_FIELDS } from './parameters';
import { CACHED, JSON_TYPE, NOT_MODIFIED } from './track-answers';

const TAG = 'Service';

const FILE_ERRORS = [
  'precondition_failed',
  'content_too_large',
  'unsupported_media_type',
] as const satisfies readonly ErrorCode[];

/** Something that is the same for everybody, and needs no token. */
function describeFile(
  operation: Pick<Operation, 'path' | 'id' | 'summary' | 'parameters'>,
  content: NonNullable<Answer['content']>,
  errors: readonly ErrorCode[] = [],
): Operation {
  return {
    method: 'get',
    tag: TAG,
    security: [],
    answers: {
      200: { description: 'As it is', fields: [...CACHED, 'Content-Length'], content },
      304: NOT_MODIFIED,
    },
    errors: [...FILE_ERRORS, ...errors],
    ...operation,
    parameters: [...operation.parameters, ...TAG_FIELDS],
  };
}

/** Without their parameters. */
function describeTypes(assets: readonly DocsAsset[]): NonNullable<Answer['content']> {
  return Object.fromEntries(assets.map(({ mediaType }) => [mediaType.replace(/;.*/, ''), {}]));
}

const HEALTH: Operation = {
  path: '/health',
  method: 'get',
  id: 'getHealth',
  tag: TAG,
  summary: 'The process answers',
  description: 'Whatever Redis and the library do. Neither authenticated nor limited.',
  security: [],
  parameters: [],
  answers: {
    200: {
      description: 'It does',
      fields: ['Cache-Control', 'Content-Length'],
      content: { [JSON_TYPE]: { schema: 'Health', example: 'health' } },
    },
  },
  errors: [],
};

function describeReadiness(description: string, example: string): Answer {
  return {
    description,
    fields: ['Cache-Control', 'Content-Length'],
    content: { [JSON_TYPE]: { schema: 'Readiness', example } },
  };
}

const READY: Operation = {
  path: '/health/ready',
  method: 'get',
  id: 'getReadiness',
  tag: TAG,
  summary: 'The process can serve',
  description: 'For whoever sends requests its way. Neither authenticated nor limited.',
  security: [],
  parameters: [],
  answers: {
    200: describeReadiness('It can', 'readiness'),
    503: describeReadiness('Not now', 'notReady'),
  },
  errors: [],
};

/** Of the player page; its modules are many, and all of one type. */
const PLAYER_TYPES = { 'text/css': {}, 'text/javascript': {}, 'image/svg+xml': {} };

/** What is about the service, and no track. */
export const SERVICE_OPERATIONS: readonly Operation[] = [
  HEALTH,
  READY,
  describeFile(
    { path: '/openapi.json', id: 'getDescription', summary: 'This description', parameters: [] },
    { [JSON_TYPE]: {} },
  ),
  describeFile(
    { path: '/docs', id: 'getDocs', summary: 'This description as a page', parameters: [] },
    describeTypes([DOCS_PAGE]),
  ),
  describeFile(
    {
      path: '/docs/{asset}',
      id: 'getDocsAsset',
      summary: 'What that page is made of',
      parameters: ['asset'],
    },
    describeTypes(DOCS_ASSETS),
    ['not_found'],
  ),
  describeFile(
    {
      path: '/',
      id: 'getPlayer',
      summary: 'The player page, where `PLAYER_PAGE` is on',
      parameters: [],
    },
    { 'text/html': {} },
  ),
  describeFile(
    {
      path: '/player/{asset}',
      id: 'getPlayerAsset',
      summary: 'What that page is made of',
      parameters: ['asset'],
    },
    PLAYER_TYPES,
    ['not_found'],
  ),
];
