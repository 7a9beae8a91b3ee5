import { type RequestHandler } from 'express';
import { AppError } from '../errors';
import { tagContent } from '../streaming/entity-tag';
import { readRequestFields } from '../streaming/request-fields';
import { planWithoutRange } from '../streaming/response-plan';

export interface AssetOptions {
  /** the value of `Content-Type` */
  readonly mediaType: string;
  /** asked once, with the first request; again after a failure */
  readonly load: () => Buffer | Promise<Buffer>;
}

interface Asset {
  readonly content: Buffer;
  readonly entityTag: string;
}

/** The same for everybody, and for as long as its entity tag holds. */
const CACHE_CONTROL = 'no-cache';

/**
 * GET and HEAD of something that is the same for everybody: a page, a script, a description. It is
 * kept in memory from its first request on, so any number of slow readers share one copy.
 */
export function createAssetController({ mediaType, load }: AssetOptions): RequestHandler {
  let loading: Promise<Asset> | undefined;
  const open = (): Promise<Asset> => {
    loading ??= describe(load).catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };

  return async (req, res) => {
    const { content, entityTag } = await open();
    const request = { fields: readRequestFields(req.rawHeaders), now: Date.now() };
    const { status, fields } = planWithoutRange(request, entityTag);
    if (status === 412) {
      throw new AppError('precondition_failed', 'This is not in the state that was asked for');
    }
    res.set({ ...fields, 'Cache-Control': CACHE_CONTROL });
    if (status === 304) {
      res.writeHead(304).end();
      return;
    }
    res.writeHead(200, { 'Content-Type': mediaType, 'Content-Length': content.length });
    res.end(content);
  };
}

async function describe(load: AssetOptions['load']): Promise<Asset> {
  const content = await load();
  return { content, entityTag: tagContent(content) };
}
