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

const PREFIX = '/api/stream/';
const METADATA = '/metadata';
/** Of addresses without query, behind the prefix; a nested id comes percent-encoded. */
const PLAIN_NAME = /^[^/?#]+$/;
const SCHEME = 'Bearer ';

/** @returns undefined for all that wants to be looked at more closely */
export function readPlainRequest(req: IncomingMessage): PlainRequest | undefined {
  if (req.method !== 'GET') return undefined;
  const { url = '' } = req;
  if (!url.startsWith(PREFIX)) return undefined;
  // a track with the id `metadata` is left to the app
  const isMetadata = url.endsWith(METADATA);
  const name = url.slice(PREFIX.length, isMetadata ? -METADATA.length : undefined);
  if (!PLAIN_NAME.test(name)) return undefined;
  const trackId = name.includes('%') ? decodeName(name) : name;
  const token = readToken(req);
  if (trackId === undefined || token === undefined) return undefined;
  if (findFault(req) || announcesContent(req.headers)) return undefined;
  return { trackId, isMetadata, token };
}

function decodeName(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

function readToken({ headers, rawHeaders }: IncomingMessage): string | undefined {
  const { authorization = '' } = headers;
  if (!authorization.startsWith(SCHEME)) return undefined;
  if (countFieldLines(rawHeaders, 'authorization') !== 1) return undefined;
  return authorization.slice(SCHEME.length);
}
