import { type RequestHandler } from 'express';
import { sendJson } from '../middleware/send-json';
import { type Readiness } from '../services/readiness';

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

/**
 * GET /health/ready: whether this process can serve, for whoever sends requests its way. It answers
 * at once, by what is known: a probe must not hang with a disk.
 */
export function createReadinessController(readiness: Readiness): RequestHandler {
  return (_req, res) => {
    const answer = readiness.check();
    res.status(answer.status === 'ok' ? 200 : 503);
    res.set('Cache-Control', 'no-store');
    sendJson(res, answer);
  };
}
