import { type IncomingMessage } from 'node:http';
import { countFieldLines } from '../streaming/request-fields';
import { findFault } from './check-request';
import { announcesContent } from './refuse-content';

/** What a request asks for that has nothing unusual about it. */
export interface PlainRequest {
  readonly trackId: string;
  readonly isMetadata: boolean;
  /** not verified */
  readonly token: string;
}

/** Addresses without query; a nested id comes percent-encoded. */
const PLAIN_TARGET = /^\/api\/stream\/([^/?#]+)(\/metadata)?$/;

/** @returns undefined for all that wants to be looked at more closely */
export function readPlainRequest(req: IncomingMessage): PlainRequest | undefined {
  if (req.method !== 'GET') return undefined;
  const [, name, metadata] = PLAIN_TARGET.exec(req.url ?? '') ?? [];
  const trackId = name?.includes('%') ? decodeName(name) : name;
  const token = readToken(req);
  if (trackId === undefined || token === undefined) return undefined;
  if (findFault(req) || announcesContent(req.headers)) return undefined;
  return { trackId, isMetadata: metadata !== undefined, token };
}

function decodeName(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

function readToken({ headers, rawHeaders }: IncomingMessage): string | undefined {
  const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
  return countFieldLines(rawHeaders, 'authorization') === 1 ? token : undefined;
}
