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
      const { signal } = req.context;
      // behind a client who has left the track is closed: its descriptor may be another file's
      signal.throwIfAborted();
      const opening = productions.open(recipe, req.principal.subject);
      holdUntil(opening.then(({ whenOver }) => whenOver));
      const product = await opening;
      // goes on when the client has left, which is what it was asked for
      void product.whenOver.then(() => {
        product.close();
      });
      // a place in the queue, a decodable track: or the answer is an error
      await product.until(1, signal);
      isReady = product.isWhole;
    }
    res.status(isReady ? 200 : 202).set('Cache-Control', 'no-store');
    sendJson(res, { status: 'success', data: { state: isReady ? 'ready' : 'preparing' } });
  };
}
