import { type RequestHandler } from 'express';
import { sendJson } from '../middleware/send-json';

/**
 * GET /health: this process runs and answers. It says nothing of Redis or the library: a probe
 * that fails with them would have the orchestrator kill players' running streams.
 *
 * @param env the `NODE_ENV` of the process
 */
export function createHealthController(env: string): RequestHandler {
  return (_req, res) => {
    const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
    res.set('Cache-Control', 'no-store');
    sendJson(res, {
      status: 'ok',
      timestamp: new Date().toISOString(),
      uptime: process.uptime(),
      memoryUsage: { rss, heapTotal, heapUsed, external },
      env,
    });
  };
}
