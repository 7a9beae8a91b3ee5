import { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type Container } from './container';
import { planContent, planMetadata, tagMetadata } from './controllers/metadata-controller';
import { deliver, planStream } from './controllers/stream-controller';
import { setFields } from './middleware/browser-fields';
import { findFault } from './middleware/check-request';
import { answerError } from './middleware/error-handler';
import { exchangeOf } from './middleware/exchange';
import { type FastQuota } from './middleware/rate-limit';
import { announcesContent } from './middleware/refuse-content';
import { beginRequest } from './middleware/request-context';
import { subjectKey } from './services/redis-keys';
import { describeError } from './observability/logger';
import { type SelectedTrack } from './services/track-source';
import { createMemorySource } from './streaming/memory-source';
import { type ByteSource } from './streaming/representation';
import { countFieldLines, readRequestFields } from './streaming/request-fields';
import { type ResponsePlan } from './streaming/response-plan';

/** Addresses without query; a nested id comes percent-encoded. */
const PLAIN_TARGET = /^\/api\/stream\/([^/?#]+)(\/metadata)?$/;
const ROUTE = '/api/stream/:trackId';

interface PlainRequest {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly trackId: string;
  readonly isMetadata: boolean;
  readonly subject: string;
}

/** What a plain request comes to, before anything is counted or sent. */
interface Decision {
  readonly plan: ResponsePlan;
  readonly source: ByteSource;
  /** absent for what costs nothing */
  readonly quota?: FastQuota;
}

/**
 * A lane in front of the app for the requests that matter most: GET of an original, or of metadata
 * that is ready, by a token that was verified before and, for an original, of a track its subject is
 * admitted to.
 *
 * It decides nothing by itself: the same functions as in the app plan, count, log and send, without
 * the way through the framework, which costs more than all of them. Whatever is not plain, or asks
 * for an error, goes through the app, untouched.
 */
export function createFastLane(container: Container, app: RequestListener): RequestListener {
  const { tokens, admissions, tracks, quotas, browserFields, clock, createBoundary, memory } =
    container;

  const readPlain = (req: IncomingMessage, res: ServerResponse): PlainRequest | undefined => {
    if (req.method !== 'GET') return undefined;
    const [, name, metadata] = PLAIN_TARGET.exec(req.url ?? '') ?? [];
    const trackId = name?.includes('%') ? decodeName(name) : name;
    const token = readToken(req);
    if (trackId === undefined || token === undefined) return undefined;
    if (findFault(req) || announcesContent(req.headers)) return undefined;
    const subject = tokens.recall(token)?.subject;
    if (subject === undefined) return undefined;
    const isMetadata = metadata !== undefined;
    if (!isMetadata && !admissions.renewNow(subject, trackId)) return undefined;
    return { req, res, trackId, isMetadata, subject };
  };

  const decide = (
    { req, isMetadata }: PlainRequest,
    selected: SelectedTrack,
  ): Decision | undefined => {
    const fields = readRequestFields(req.rawHeaders);
    const request = { method: 'GET', fields, now: clock(), createBoundary } as const;
    const loudness = isMetadata ? container.media.meter.knownNow(selected) : null;
    if (loudness === undefined) return undefined;
    const plan = isMetadata
      ? planMetadata(request, selected, loudness)
      : planStream(request, selected);
    if (plan.status >= 400) return undefined;
    if (plan.status === 304) return { plan, source: selected.track };
    if (!isMetadata) return { plan, source: selected.track, quota: quotas.continuations };
    const content = container.readyMetadata.get(selected, tagMetadata(selected, loudness));
    if (!content) return undefined;
    const source = createMemorySource(content);
    return { plan: planContent(plan, content), source, quota: quotas.openings };
  };

  /** @returns false when the app has to answer */
  const answer = (plain: PlainRequest, selected: SelectedTrack): boolean => {
    const { req, res, trackId, isMetadata, subject } = plain;
    const decision = decide(plain, selected);
    if (!decision) return false;
    const { plan, source, quota } = decision;
    const quotaFields = quota ? quota.tryCount(subjectKey(subject)) : [];
    if (!quotaFields) return false;

    const route = isMetadata ? `${ROUTE}/metadata` : ROUTE;
    const known = { route, track: trackId, subject };
    const context = beginRequest(container, req, res, { level: 'info', ...known });
    exchangeOf(req, res).onOver(() => void selected.track.close());
    container.watchSending(res, context);
    const commonFields = [
      'X-Request-Id',
      context.id,
      ...browserFields.of(req.headers.origin),
      ...quotaFields,
    ];
    deliver(res, { plan, source, memory, commonFields }, context).catch((error: unknown) => {
      if (!res.headersSent) setFields(res, commonFields);
      answerError(error, context, res);
    });
    return true;
  };

  const pass = (plain: PlainRequest, selected: SelectedTrack): void => {
    try {
      if (answer(plain, selected)) return;
    } catch (error) {
      container.logger.error('fast lane', { error: describeError(error) });
    }
    void selected.track.close();
    app(plain.req, plain.res);
  };

  return (req, res) => {
    const plain = readPlain(req, res);
    const selected = plain && tracks.selectNow(plain.trackId);
    if (!plain || (plain.isMetadata && !selected)) app(req, res);
    else if (selected) pass(plain, selected);
    else
      tracks.select(plain.trackId).then(
        (opened) => {
          pass(plain, opened);
        },
        () => {
          app(req, res); // which meets the same failure, and answers it
        },
      );
  };
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
