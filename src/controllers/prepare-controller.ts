import { type RequestHandler } from 'express';
import { plannedDelivery } from '../middleware/select-track';
import { sendJson } from '../middleware/send-json';
import { type Productions } from '../services/productions';

/**
 * POST /api/stream/:trackId/prepare: makes what a GET with the same query would, for later. 202
 * while it is being made, 200 when it is there.
 */
export function createPrepareController(productions: Productions): RequestHandler {
  return async (req, res) => {
    const { derivation, holdUntil } = plannedDelivery(req);
    const recipe = derivation?.content;
    let isReady = true;
    if (recipe && !Buffer.isBuffer(recipe)) {
      const product = await productions.open(recipe, req.principal.subject);
      holdUntil(product.whenOver);
      // a place in the queue, a decodable track: or the answer is an error
      await product.until(1, req.context.signal);
      isReady = product.isWhole;
      void product.whenOver.then(() => {
        product.close();
      });
    }
    res.status(isReady ? 200 : 202).set('Cache-Control', 'no-store');
    sendJson(res, { status: 'success', data: { state: isReady ? 'ready' : 'preparing' } });
  };
}
