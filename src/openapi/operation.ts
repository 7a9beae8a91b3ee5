import { type ErrorCode } from '../errors';
import { STATUS_BY_CODE } from '../middleware/error-handler';
import { EXAMPLES } from './examples';
import { useFields, type FieldUse } from './fields';
import { useParameters, type ParameterName } from './parameters';
import { type SchemaName } from './schemas';

/** What an answer or a request contains. */
export interface Content {
  /** absent: bytes */
  readonly schema?: SchemaName;
  /** the name of one of `EXAMPLES.answers` */
  readonly example?: string;
}

export interface Answer {
  readonly description: string;
  readonly fields?: readonly FieldUse[];
  /** by media type */
  readonly content?: Readonly<Record<string, Content>>;
}

/** One method of one address. */
export interface Operation {
  readonly path: string;
  readonly method: 'get' | 'post' | 'put' | 'delete';
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** who may; with `grant` either is enough */
  readonly security: readonly ('bearer' | 'grant')[];
  readonly parameters: readonly ParameterName[];
  readonly request?: { readonly schema: SchemaName; readonly example: string };
  /** that went well, and 304 */
  readonly answers: Readonly<Record<number, Answer>>;
  readonly errors: readonly ErrorCode[];
  /** errors that HEAD never has, as it makes nothing */
  readonly neverOfHead?: readonly ErrorCode[];
}

/** What can go wrong at any address, before or behind what it is about. */
export const GENERAL_ERRORS = [
  'bad_request',
  'not_found',
  'method_not_allowed',
  'request_timeout',
  'uri_too_long',
  'header_fields_too_large',
  'internal_error',
  'not_implemented',
  'version_not_supported',
] as const satisfies readonly ErrorCode[];

const ERROR_FIELDS: readonly FieldUse[] = ['X-Request-Id', 'Cache-Control', 'Content-Length'];
const QUOTA_FIELDS: readonly FieldUse[] = ['RateLimit', 'RateLimit-Policy'];

/** What an error of a status tells beside its content. */
const FURTHER_FIELDS: Readonly<Partial<Record<number, readonly FieldUse[]>>> = {
  401: ['WWW-Authenticate', ...QUOTA_FIELDS],
  // of a token that may not; of an address, the quota of failures
  403: ['WWW-Authenticate?', 'RateLimit?', 'RateLimit-Policy?'],
  405: ['Allow'],
  416: ['Content-Range', 'Accept-Ranges'],
  429: ['Retry-After', ...QUOTA_FIELDS],
  503: ['Retry-After'],
};

/** One operation as OpenAPI has it, GET with its HEAD. */
export function describeOperation(operation: Operation): Record<string, unknown> {
  const { method, id, tag, summary, description, security, parameters, request } = operation;
  const common = {
    tags: [tag],
    ...(description === undefined ? {} : { description }),
    security: security.map((scheme) => ({ [scheme]: [] })),
    parameters: useParameters([...parameters, 'requestId']),
  };
  const described = {
    operationId: id,
    summary,
    ...common,
    ...(request ? { requestBody: describeRequest(request) } : {}),
    responses: describeResponses(operation),
  };
  if (method !== 'get') return { [method]: described };
  const head = {
    operationId: `${id}Head`,
    summary: `${summary}: the fields alone`,
    ...common,
    responses: describeHead(operation),
  };
  return { get: described, head };
}

/** OPTIONS: preflights of pages, at every address and without a token. */
export function describeOptions(path: string): Record<string, unknown> {
  const name = path.replace(/[^\w]+(\w?)/g, (_all, letter: string) => letter.toUpperCase());
  return {
    operationId: `options${name}`,
    tags: ['Preflights'],
    summary: 'What pages of other origins may do',
    security: [],
    responses: {
      204: { description: 'Go on', headers: useFields(['X-Request-Id', 'Allow']) },
      default: { $ref: '#/components/responses/General' },
    },
  };
}

/** The errors that need no address. */
export function describeGeneral(): Record<string, unknown> {
  const statuses = GENERAL_ERRORS.map((code) => `${STATUS_BY_CODE[code]} \`${code}\``);
  return {
    ...describeError([...GENERAL_ERRORS], []),
    description: `What can go wrong at any address: ${statuses.join(', ')}`,
  };
}

type Responses = Record<string, Readonly<Record<string, unknown>>>;

function describeResponses({ answers, errors }: Pick<Operation, 'answers' | 'errors'>): Responses {
  return {
    ...Object.fromEntries(
      Object.entries(answers).map(([status, answer]) => [status, describeAnswer(answer)]),
    ),
    ...describeErrors(errors),
    default: { $ref: '#/components/responses/General' },
  };
}

function describeHead({ answers, errors, neverOfHead = [] }: Operation): Record<string, unknown> {
  const never: readonly ErrorCode[] = ['range_not_satisfiable', ...neverOfHead];
  const responses = describeResponses({
    answers: Object.fromEntries(Object.entries(answers).filter(([status]) => status !== '206')),
    errors: errors.filter((code) => !never.includes(code)),
  });
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => {
      const members = Object.entries(response).filter(([name]) => name !== 'content');
      return [status, Object.fromEntries(members)];
    }),
  );
}

function describeAnswer({ description, fields = [], content }: Answer): Record<string, unknown> {
  return {
    description,
    headers: useFields(['X-Request-Id', ...fields]),
    ...(content
      ? {
          content: Object.fromEntries(
            Object.entries(content).map(([type, { schema, example }]) => [
              type,
              {
                ...(schema ? { schema: { $ref: `#/components/schemas/${schema}` } } : {}),
                ...(example ? { example: EXAMPLES.answers[example] } : {}),
              },
            ]),
          ),
        }
      : {}),
  };
}

/** By status; what is general stands with what is the operation's own. */
function describeErrors(own: readonly ErrorCode[]): Responses {
  const statuses = [...new Set(own.map((code) => STATUS_BY_CODE[code]))].sort((a, b) => a - b);
  return Object.fromEntries(
    statuses.map((status) => {
      const codes = [...new Set([...own, ...GENERAL_ERRORS])].filter(
        (code) => STATUS_BY_CODE[code] === status,
      );
      return [status, describeError(codes, FURTHER_FIELDS[status] ?? [])];
    }),
  );
}

function describeError(
  codes: readonly ErrorCode[],
  fields: readonly FieldUse[],
): Record<string, unknown> {
  const examples = codes.filter((code) => EXAMPLES.errors[code] !== undefined);
  return {
    description: codes.map((code) => `\`${code}\``).join(', '),
    headers: useFields([...ERROR_FIELDS, ...fields]),
    content: {
      'application/json': {
        schema: describeErrorSchema(codes),
        ...(examples.length > 0
          ? {
              examples: Object.fromEntries(
                examples.map((code) => [code, { value: EXAMPLES.errors[code] }]),
              ),
            }
          : {}),
      },
    },
  };
}

function describeErrorSchema(codes: readonly ErrorCode[]): Record<string, unknown> {
  if (codes.includes('too_many_playbacks'))
    return { $ref: '#/components/schemas/TooManyPlaybacks' };
  return {
    $ref: '#/components/schemas/Error',
    // beside $ref, as OpenAPI 3.1 allows: which of the codes can come here
    type: 'object',
    properties: { code: { type: 'string', enum: codes } },
  };
}

function describeRequest({ schema, example }: NonNullable<Operation['request']>): unknown {
  return {
    required: true,
    content: {
      'application/json': {
        schema: { $ref: `#/components/schemas/${schema}` },
        example: EXAMPLES.answers[example],
      },
    },
  };
}
