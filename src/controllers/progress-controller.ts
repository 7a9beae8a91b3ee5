import { type RequestHandler } from 'express';
import { z } from 'zod';
import { AppError } from '../errors';
import { grantEnded } from '../middleware/authenticate-grant';
import { readJson } from '../middleware/read-json';
import { sendJson } from '../middleware/send-json';
import { type Playbacks } from '../services/playback';
import { playbackNotFound, readPlayback } from './playback-controller';

const MAX_POSITION_SECONDS = 1_000_000;

/** What a player says of itself; nothing else is taken along. */
export const progressSchema = z.strictObject({
  positionSeconds: z.number().min(0).max(MAX_POSITION_SECONDS),
  state: z.enum(['playing', 'paused', 'stopped']),
});

/**
 * POST /api/stream/:trackId/playback/:id/progress: where a player is. The content is read here, when
 * it is known whom it speaks for.
 */
export function createProgressController({
  playbacks,
}: {
  readonly playbacks: Pick<Playbacks, 'report'>;
}): RequestHandler {
  return async (req, res) => {
    const { trackId, id } = readPlayback(req.params);
    const progress = progressSchema.safeParse(await readJson(req, res));
    if (!progress.success) {
      throw new AppError(
        'bad_request',
        `Send positionSeconds, from 0 to ${MAX_POSITION_SECONDS}, and state: playing, paused or stopped`,
      );
    }
    const outcome = await playbacks.report(trackId, id, req.principal.subject, progress.data);
    // a grant was open by what is known of it, which may be a tenth of a second old
    if (!outcome) throw req.principal.grant ? grantEnded() : playbackNotFound();
    req.context.entry.playback = id;
    const expiresAt = new Date(outcome.endsAtMs).toISOString();
    res.set('Cache-Control', 'no-store');
    sendJson(res, { status: 'success', data: { id, expiresAt, counted: outcome.isCounted } });
  };
}
