import { type RequestHandler } from 'express';
import { AppError } from '../errors';
import { plannedDelivery } from '../middleware/select-track';
import { METADATA_SHAPE_VERSION, type MetadataService } from '../services/metadata-service';
import { type SelectedTrack } from '../services/track-source';
import { planWithoutRange, type PlanRequest, type ResponsePlan } from '../streaming/response-plan';
import { sendJson } from '../middleware/send-json';

/**
 * Plans the answer to a request for metadata. Its entity tag follows from the track's and from the
 * shape of the answer, so a 304 costs no parsing.
 */
export function planMetadata(request: PlanRequest, { entityTag }: SelectedTrack): ResponsePlan {
  return planWithoutRange(request, `"m${METADATA_SHAPE_VERSION}-${entityTag.slice(1)}`);
}

/** GET and HEAD /api/stream/:trackId/metadata, for a delivery that is planned and paid for. */
export function createMetadataController(metadata: MetadataService): RequestHandler {
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
    const description = metadata.describe(selected);
    holdUntil(description);
    const { metadata: data, isFinal } = await description;
    // what a second try may read better must not be kept under the track's own tag
    res.set(isFinal ? plan.fields : { 'Cache-Control': 'no-store' });
    sendJson(res, { status: 'success', data });
  };
}
