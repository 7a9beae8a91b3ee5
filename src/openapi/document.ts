import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeFields } from './fields';
import { HLS_OPERATIONS } from './hls-operations';
import { describeGeneral, describeOperation, describeOptions, type Operation } from './operation';
import { describeParameters } from './parameters';
import { describeSchemas } from './schemas';
import { PLAYBACK_OPERATIONS } from './playback-operations';
import { SERVICE_OPERATIONS } from './service-operations';
import { TRACK_OPERATIONS } from './track-operations';

/** Every operation there is; a route that is not here fails the test that asks for it. */
export const OPERATIONS: readonly Operation[] = [
  ...TRACK_OPERATIONS,
  ...HLS_OPERATIONS,
  ...PLAYBACK_OPERATIONS,
  ...SERVICE_OPERATIONS,
];

const DESCRIPTION = `Streams a music library: byte ranges that every player can seek in, other forms of
the tracks, HLS, metadata, pictures and waveforms.

Everything but the addresses under *Service* wants \`Authorization: Bearer <JWT>\`, or where it says so the
\`grant\` of a playback. Every answer has the fields of CORS, and every error has a stable \`code\`.`;

/**
 * The description of the API, made of what checks requests and answers.
 *
 * @see OpenAPI 3.1.1
 */
export function describeApi(): Record<string, unknown> {
  return {
    openapi: '3.1.1',
    info: {
      title: 'TuneTON Streaming Service',
      version: readVersion(),
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    paths: describePaths(),
    components: {
      schemas: describeSchemas(),
      headers: describeFields(),
      parameters: describeParameters(),
      responses: { General: describeGeneral() },
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'An account token',
        },
        grant: {
          type: 'apiKey',
          in: 'query',
          name: 'grant',
          description: 'What a playback grant puts into its addresses; never an account token',
        },
      },
    },
  };
}

function describePaths(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of OPERATIONS) {
    const { path } = operation;
    paths[path] = {
      ...paths[path],
      ...describeOperation(operation),
      options: { ...describeOptions(path), ...describePathParameters(path) },
    };
  }
  return paths;
}

/** OpenAPI wants each part of a path explained at each method. */
function describePathParameters(path: string): Record<string, unknown> {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const components = names.map((name) => (name === 'id' ? 'playbackId' : name));
  return {
    parameters: components.map((name) => ({ $ref: `#/components/parameters/${name}` })),
  };
}

/** Of this service, which is that of its API. */
function readVersion(): string {
  const manifest = readFileSync(join(__dirname, '../../package.json'), 'utf8');
  return (JSON.parse(manifest) as { readonly version: string }).version;
}
