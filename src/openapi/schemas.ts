import { z } from 'zod';
import { progressSchema } from '../controllers/progress-controller';
import { type ErrorCode } from '../errors';
import { STATUS_BY_CODE } from '../middleware/error-handler';
import { cataloguePageSchema } from '../services/catalogue/catalogue';
import { listedTrackSchema } from '../services/catalogue/packed-metadata';
import { loudnessSchema } from '../services/loudness-values';
import { trackMetadataSchema } from '../services/metadata-service';
import { readinessSchema } from '../services/readiness';

/** A JSON Schema (draft 2020-12), as OpenAPI 3.1 takes it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Every code there is. */
export const ERROR_CODES = Object.keys(STATUS_BY_CODE) as readonly ErrorCode[];

const whole = z.int().min(0);
const seconds = z.number().min(0);
const time = z.iso.datetime();
const playbackId = z.string().regex(/^[\w-]{22}$/);
const address = z.string().regex(/^\//);

function success<Data extends z.ZodType>(data: Data) {
  return z.strictObject({ status: z.literal('success'), data });
}

/** What answers and requests say in JSON; the names are those of the components. */
const SCHEMAS = {
  TrackMetadata: trackMetadataSchema,
  Loudness: loudnessSchema,
  MetadataAnswer: success(trackMetadataSchema),
  LoudnessAnswer: success(loudnessSchema),
  PrepareAnswer: success(z.strictObject({ state: z.enum(['ready', 'preparing']) })),
  Waveform: z
    .strictObject({
      version: z.literal(2),
      channels: z.literal(1),
      sample_rate: whole.describe('Hz'),
      samples_per_pixel: whole,
      bits: z.literal([8, 16]),
      length: whole.describe('pixels'),
      data: z.array(z.int()).describe('minimum and maximum of each pixel in turn'),
    })
    .describe('JSON of audiowaveform, version 2'),
  Health: z.strictObject({
    status: z.literal('ok'),
    timestamp: time,
    uptime: seconds,
    memoryUsage: z
      .strictObject({ rss: whole, heapTotal: whole, heapUsed: whole, external: whole })
      .describe('bytes'),
    env: z.string(),
  }),
  Readiness: readinessSchema,
  ListedTrack: listedTrackSchema,
  CatalogueAnswer: success(cataloguePageSchema),
  PlaybackAnswer: success(
    z.strictObject({
      id: playbackId,
      url: address,
      hlsUrl: address,
      artworkUrl: address,
      waveformUrl: address,
      expiresAt: time,
    }),
  ),
  ExtensionAnswer: success(z.strictObject({ id: playbackId, expiresAt: time })),
  Progress: progressSchema,
  ProgressAnswer: success(
    z.strictObject({
      id: playbackId,
      expiresAt: time,
      counted: z.boolean().describe('this play has been counted by now'),
    }),
  ),
  Error: z.strictObject({
    status: z.literal('error'),
    code: z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]).describe('never changes'),
    message: z.string().describe('for people; may change'),
  }),
  TooManyPlaybacks: z.strictObject({
    status: z.literal('error'),
    code: z.literal('too_many_playbacks'),
    message: z.string(),
    playbacks: z.array(
      z.strictObject({ id: playbackId, trackId: z.string(), startedAt: time, lastActiveAt: time }),
    ),
  }),
} as const satisfies Readonly<Record<string, z.ZodType>>;

export type SchemaName = keyof typeof SCHEMAS;

/** All of them as JSON Schemas, which refer to each other as components of the document. */
export function describeSchemas(): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ jsonSchema }) => {
      // TypeScript's word; in OpenAPI it would mean something else
      delete jsonSchema.readOnly;
      // the format says it
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
    },
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => {
      const members = Object.entries(schema).filter(([name]) => !['$id', '$schema'].includes(name));
      return [id, Object.fromEntries(members)];
    }),
  );
}
