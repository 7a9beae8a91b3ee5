import { type RequestHandler } from 'express';
import { AppError } from '../errors';
import { closeAfter } from './linger';

/**
 * Refuses requests with content. Nothing here takes any, and a body that nobody reads is a body
 * that no decoder can be attacked with: it stays unread, and the connection closes.
 *
 * @see RFC 9110 §8.6 and RFC 9112 §6 for what announces content
 */
export function createContentRefusal(): RequestHandler {
  return (req, res, next) => {
    if (!announcesContent(req.headers)) {
      next();
      return;
    }
    closeAfter(req, res);
    if (req.headers['content-encoding'] !== undefined) {
      throw new AppError('unsupported_media_type', 'This request takes no content, encoded or not');
    }
    throw new AppError('content_too_large', 'This request takes no content');
  };
}

export function announcesContent(headers: Readonly<Record<string, unknown>>): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  return Number(headers['content-length'] ?? 0) > 0;
}
