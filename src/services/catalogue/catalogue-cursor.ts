import { AppError } from '../../errors';

/** Says what the rest means; another one when that changes. */
const VERSION = '1';

/** Where a page ended: behind this id, whether it is still there or not. */
export function formatCursor(lastId: string): string {
  return Buffer.from(VERSION + lastId).toString('base64url');
}

/**
 * The id that the next page begins behind.
 *
 * @throws AppError `bad_request` for what is no cursor of ours
 */
export function parseCursor(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const id = text.slice(VERSION.length);
  // written again it must be the same: that also refuses other alphabets and damaged UTF-8
  if (id === '' || formatCursor(id) !== cursor) {
    throw new AppError('bad_request', 'cursor must be the nextCursor of an earlier answer');
  }
  return id;
}
