import { type RequestListener, type ServerResponse } from 'node:http';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { describeApi } from '../../src/openapi/document';

/** An answer as it went out. */
export interface SeenAnswer {
  readonly method: string;
  /** as it stood in the request line */
  readonly target: string;
  readonly status: number;
  /** lower case */
  readonly fields: ReadonlyMap<string, string>;
  readonly content: Buffer;
}

interface Field {
  readonly $ref?: string;
  readonly required?: boolean;
  readonly schema?: object;
}
interface Response {
  readonly $ref?: string;
  readonly headers?: Readonly<Record<string, Field>>;
  readonly content?: Readonly<Record<string, { readonly schema?: object }>>;
}
type Methods = Readonly<Record<string, { readonly responses: Readonly<Record<string, Response>> }>>;
interface ApiDocument {
  readonly paths: Readonly<Record<string, Methods>>;
  readonly components: {
    readonly headers: Readonly<Record<string, Field>>;
    readonly responses: Readonly<Record<string, Response>>;
    readonly schemas: Readonly<Record<string, object>>;
  };
}

/** The document, as the service gives it out. */
export const API = JSON.parse(JSON.stringify(describeApi())) as ApiDocument;

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
addFormats(ajv);
for (const [name, schema] of Object.entries(API.components.schemas)) {
  ajv.addSchema(standingAlone(schema), name);
}
const validators = new Map<object, ValidateFunction>();

const METHODS = ['get', 'head', 'options', 'post', 'put', 'delete'];

/** @returns the path of the document that an address falls under */
export function pathOf(target: string): string | undefined {
  const path = target.replace(/^[a-z]+:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
  return Object.keys(API.paths).find((template) => {
    const pattern = template.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+');
    return new RegExp(`^${pattern}/?$`).test(path);
  });
}

/** @returns what is wrong with an answer by the document */
export function findMismatches(answer: SeenAnswer): readonly string[] {
  const { status, method } = answer;
  const path = pathOf(answer.target);
  const methods = path === undefined ? undefined : API.paths[path];
  const operation = methods?.[method.toLowerCase()];
  if (!operation) return checkUnknown(answer, methods !== undefined);
  const isOwn = operation.responses[status] !== undefined;
  const response = isOwn ? operation.responses[status]! : API.components.responses.General!;
  if (!isOwn && status < 400) return [`status ${status} is not documented`];
  return [...checkFields(answer, response), ...checkContent(answer, response)];
}

/** An address or a method that is not there can only be refused. */
function checkUnknown(answer: SeenAnswer, isPathKnown: boolean): readonly string[] {
  const { status, method } = answer;
  if (isPathKnown && METHODS.includes(method.toLowerCase()) && status !== 405 && status < 400) {
    return [`method ${method} is not documented`];
  }
  if (method === 'OPTIONS' && status === 204) return [];
  if (status < 400) return ['the address is not documented'];
  const codes = checkJson(answer, API.components.schemas.Error!);
  return [...checkFields(answer, API.components.responses.General!), ...codes];
}

function checkFields({ fields }: SeenAnswer, { headers = {} }: Response): readonly string[] {
  return Object.entries(headers).flatMap(([name, use]) => {
    const { required, schema } = use.$ref ? API.components.headers[name]! : use;
    const value = fields.get(name.toLowerCase());
    if (value === undefined) return required ? [`${name} is missing`] : [];
    const isRight: boolean = ajv.validate(schema!, value);
    return isRight ? [] : [`${name}: ${value}: ${ajv.errorsText()}`];
  });
}

function checkContent(answer: SeenAnswer, { content }: Response): readonly string[] {
  const { method, fields, status } = answer;
  const type = (fields.get('content-type') ?? '').replace(/;.*$/, '');
  if (method === 'HEAD') return [];
  if (!content)
    return answer.content.length > 0 || type !== '' ? ['content is not documented'] : [];
  const media = content[type];
  if (!media) return [`${type} is not documented for ${status}`];
  if (!media.schema) return [];
  // a range of JSON is none
  if (status === 206) return [];
  return checkJson(answer, media.schema);
}

function checkJson({ method, content }: SeenAnswer, schema: object): readonly string[] {
  if (method === 'HEAD') return [];
  const validate = validators.get(schema) ?? ajv.compile(standingAlone(schema));
  validators.set(schema, validate);
  let value: unknown;
  try {
    value = JSON.parse(content.toString());
  } catch {
    return [`no JSON: ${content.toString().slice(0, 100)}`];
  }
  return validate(value)
    ? []
    : [`${ajv.errorsText(validate.errors)} in ${content.toString().slice(0, 300)}`];
}

/** The schema by itself: the whole document is none, and could not be asked for a part of it. */
function standingAlone(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', '')) as object;
}

/** Enough for any JSON of the tests; of sound nothing is looked at. */
const MOST_BYTES = 2_000_000;

/** A field that a listener sets which a test has put in the place of the app. */
export const TEST_DOUBLE = 'x-test-double';

/** Looks at every answer of a listener before its client has it whole. */
export function checked(
  listener: RequestListener,
  onMismatch: (mismatch: string) => void,
): RequestListener {
  return (req, res) => {
    // a router changes the address
    const { method = '', url: target = '' } = req;
    const chunks: Buffer[] = [];
    let bytes = 0;
    const keep = (chunk: unknown): void => {
      if (!(typeof chunk === 'string' || chunk instanceof Uint8Array)) return;
      const piece = Buffer.from(chunk);
      bytes += piece.length;
      if (bytes <= MOST_BYTES && isJson(res)) chunks.push(piece);
      else if (bytes === piece.length) chunks.push(piece.subarray(0, 1));
    };
    const write = res.write.bind(res) as (...args: unknown[]) => boolean;
    const end = res.end.bind(res) as (...args: unknown[]) => ServerResponse;
    res.write = (...args: unknown[]) => {
      const result = write(...args);
      keep(args[0]);
      return result;
    };
    res.end = (...args: unknown[]) => {
      const result = end(...args);
      keep(args[0]);
      // its client has left, and nothing was sent
      if (res.destroyed && !res.headersSent) return result;
      const answer = {
        ...{ method, target, status: res.statusCode, fields: sentFields(res) },
        content: Buffer.concat(chunks),
      };
      if (answer.fields.has(TEST_DOUBLE)) return result;
      const say = (mismatch: string): void => {
        onMismatch(`${method} ${target} ${res.statusCode}: ${mismatch}`);
      };
      try {
        findMismatches(answer).forEach(say);
      } catch (error) {
        // thrown here it would only end in the error handler of the app
        say(String(error));
      }
      return result;
    };
    listener(req, res);
  };
}

function isJson(res: ServerResponse): boolean {
  return sentFields(res).get('content-type')?.startsWith('application/json') ?? false;
}

/** As they stand in the header section: fields given to `writeHead()` are nowhere else. */
function sentFields(res: ServerResponse): ReadonlyMap<string, string> {
  const section = (res as ServerResponse & { readonly _header?: string | null })._header ?? '';
  return new Map(
    section
      .split('\r\n')
      .slice(1)
      .filter((line) => line.includes(':'))
      .map((line) => {
        const [, name = '', value = ''] = /^([^:]+): ?(.*)$/s.exec(line) ?? [];
        return [name.toLowerCase(), value];
      }),
  );
}
