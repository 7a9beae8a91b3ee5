import { type RequestHandler } from 'express';
import { AppError } from '../errors';
import { plannedDelivery } from '../middleware/select-track';
import { METADATA_SHAPE_VERSION, type MetadataService } from '../services/metadata-service';
import { type SelectedTrack } from '../services/track-source';
import { planWithoutRange, type PlanRequest, type ResponsePlan } from '../streaming/response-plan';
import { describeContent } from '../middleware/send-json';
import { type ReadyMetadata } from '../services/ready-metadata';

/**
 * Plans the answer to a request for metadata. Its entity tag follows from the track's and from the
 * shape of the answer, so a 304 costs no parsing.
 */
export function planMetadata(request: PlanRequest, { entityTag }: SelectedTrack): ResponsePlan {
  return planWithoutRange(request, `"m${METADATA_SHAPE_VERSION}-${entityTag.slice(1)}`);
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

/** GET and HEAD /api/stream/:trackId/metadata, for a delivery that is planned and paid for. */
export function createMetadataController(
  metadata: MetadataService,
  ready: ReadyMetadata,
): RequestHandler {
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
    const known = ready.get(selected);
    if (known) {
      res.writeHead(200, { ...plan.fields, ...describeContent(known) }).end(known);
      return;
    }
    const description = metadata.describe(selected);
    holdUntil(description);
    const { metadata: data, isFinal } = await description;
    const content = Buffer.from(JSON.stringify({ status: 'success', data }));
    if (isFinal) ready.set(selected, content);
    // what a second try may read better must not be kept under the track's own tag
    const fields = isFinal ? plan.fields : { 'Cache-Control': 'no-store' };
    res.writeHead(200, { ...fields, ...describeContent(content) }).end(content);
  };
}
