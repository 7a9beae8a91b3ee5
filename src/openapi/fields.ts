import { EXAMPLES } from './examples';
import { type JsonSchema } from './schemas';

interface Field {
  readonly description: string;
  readonly schema: JsonSchema;
  /** nowhere on every answer */
  readonly isRare?: boolean;
}

const text = { type: 'string' };
const digits = { type: 'string', pattern: '^\\d+$' };

/** Fields of answers that mean something to clients; CORS lets pages read them. */
const FIELDS = {
  'X-Request-Id': {
    description: 'The id of the request in our log; the one that was sent, where it is a sane one',
    schema: { type: 'string', pattern: '^[\\w.:-]{1,64}$' },
  },
  'Content-Length': { description: 'Length of the content in bytes', schema: digits },
  'Content-Range': {
    description: 'Which bytes of how many these are; of several ranges, each part has its own',
    schema: { type: 'string', pattern: '^bytes (\\d+-\\d+|\\*)/\\d+$' },
  },
  'Accept-Ranges': {
    description: '`none` while the length of what is being made is not known',
    schema: { type: 'string', enum: ['bytes', 'none'] },
  },
  ETag: { description: 'Strong entity tag', schema: { type: 'string', pattern: '^"[^"]+"$' } },
  'Last-Modified': { description: 'When the track changed', schema: text },
  'Cache-Control': { description: 'Who may keep the answer', schema: text },
  'Content-Disposition': { description: 'A name to save it under', schema: text },
  'X-Selected-Format': {
    description: 'What `format=auto` chose, and why',
    schema: text,
    isRare: true,
  },
  Allow: { description: 'The methods of the address', schema: text },
  'Retry-After': { description: 'Seconds to wait', schema: digits },
  RateLimit: {
    description: 'The quota that was counted: `r` requests are left, `t` seconds until it renews',
    schema: { type: 'string', pattern: '^"[\\w-]+"; r=\\d+; t=\\d+$' },
  },
  'RateLimit-Policy': {
    description: '`q` requests in `w` seconds; `pk` names what is counted together',
    schema: { type: 'string', pattern: '^"[\\w-]+"; q=\\d+; w=\\d+; pk=:[\\w+/=]+:$' },
  },
  'WWW-Authenticate': {
    description: 'The challenge of RFC 6750',
    schema: { type: 'string', pattern: '^Bearer realm=' },
  },
} as const satisfies Readonly<Record<string, Field>>;

export type FieldName = keyof typeof FIELDS;
/** With a question mark: not on every answer. */
export type FieldUse = FieldName | `${FieldName}?`;

/** The components; where nothing else is said they are always there. */
export function describeFields(): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(FIELDS).map((name) => [
      name,
      describeField(name as FieldName, !isRare(name as FieldName)),
    ]),
  );
}

/** The fields of one answer. */
export function useFields(uses: readonly FieldUse[]): Record<string, unknown> {
  return Object.fromEntries(
    uses.map((use) => {
      const name = use.replace('?', '') as FieldName;
      const isComponent = name === use || isRare(name);
      return [
        name,
        isComponent ? { $ref: `#/components/headers/${name}` } : describeField(name, false),
      ];
    }),
  );
}

function isRare(name: FieldName): boolean {
  const { isRare = false }: Field = FIELDS[name];
  return isRare;
}

function describeField(name: FieldName, required: boolean): Record<string, unknown> {
  const example = EXAMPLES.fields[name];
  const { description, schema }: Field = FIELDS[name];
  return { description, schema, required, ...(example === undefined ? {} : { example }) };
}
