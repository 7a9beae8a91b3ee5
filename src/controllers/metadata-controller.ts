import { type RequestHandler } from 'express';
import { AppError } from '../errors';
import { plannedDelivery } from '../middleware/select-track';
import { METADATA_SHAPE_VERSION, type MetadataService } from '../services/metadata-service';
import { type SelectedTrack } from '../services/track-source';
import { planWithoutRange, type PlanRequest, type ResponsePlan } from '../streaming/response-plan';
import { describeContent } from '../middleware/send-json';
import { type LoudnessMeter } from '../services/loudness-meter';
import { type Loudness } from '../services/loudness-values';
import { type ReadyMetadata } from '../services/ready-metadata';

type KnownLoudness = Pick<LoudnessMeter, 'known' | 'knownNow'>;

/**
 * The entity tag of metadata follows from the track's, from the shape of the answer and from the
 * loudness in it, so a 304 costs no parsing.
 */
export function tagMetadata({ entityTag }: SelectedTrack, loudness: Loudness | null): string {
  const { integratedLufs, rangeLu, truePeakDbtp, replayGain } = loudness ?? {};
  const values = loudness ? [integratedLufs, rangeLu, truePeakDbtp, replayGain?.trackPeak] : [];
  const measured = values.map((value) => `${value ?? ''}_`).join('');
  return `"m${METADATA_SHAPE_VERSION}-${measured}${entityTag.slice(1)}`;
}

/** Plans the answer to a request for metadata, with what is known of the loudness. */
export function planMetadata(
  request: PlanRequest,
  selected: SelectedTrack,
  loudness: Loudness | null,
): ResponsePlan {
  return planWithoutRange(request, tagMetadata(selected, loudness));
}

/** The same, for whoever can wait until it is found out. */
export function createMetadataPlan(meter: KnownLoudness) {
  return async (request: PlanRequest, selected: SelectedTrack): Promise<ResponsePlan> => {
    const now = meter.knownNow(selected);
    const loudness = now === undefined ? await meter.known(selected) : now;
    return planMetadata(request, selected, loudness ?? null);
  };
}

/** The plan of an answer with this content. */
export function planContent(plan: ResponsePlan, content: Buffer): ResponsePlan {
  return {
    ...plan,
    fields: { ...plan.fields, ...describeContent(content) },
    segments: [{ kind: 'slice', range: { firstPos: 0, lastPos: content.length - 1 } }],
    contentLength: content.length,
  };
}

export interface MetadataControllerDeps {
  readonly metadata: MetadataService;
  readonly ready: ReadyMetadata;
  readonly meter: KnownLoudness;
}

/** GET and HEAD /api/stream/:trackId/metadata, for a delivery that is planned and paid for. */
export function createMetadataController({
  metadata,
  ready,
  meter,
}: MetadataControllerDeps): RequestHandler {
  return async (req, res) => {
    const { plan, selected, holdUntil } = plannedDelivery(req);

    if (plan.status === 412) {
      throw new AppError(
        'precondition_failed',
        'The metadata is not in the state that was asked for',
      );
    }
    if (plan.status === 304) {
      res.writeHead(304, plan.fields).end();
      return;
    }
    // it may have become known since the plan; what is sent and its tag must say the same
    const loudness = meter.knownNow(selected) ?? null;
    const entityTag = tagMetadata(selected, loudness);
    const planned = { ...plan.fields, ETag: entityTag };
    const known = ready.get(selected, entityTag);
    if (known) {
      res.writeHead(200, { ...planned, ...describeContent(known) }).end(known);
      return;
    }
    const description = metadata.describe(selected);
    holdUntil(description);
    const { metadata: described, isFinal } = await description;
    const data = loudness ? { ...described, loudness } : described;
    const content = Buffer.from(JSON.stringify({ status: 'success', data }));
    if (isFinal) ready.set(selected, entityTag, content);
    // what a second try may read better must not be kept under the track's own tag
    const fields = isFinal ? planned : { 'Cache-Control': 'no-store' };
    res.writeHead(200, { ...fields, ...describeContent(content) }).end(content);
  };
}
