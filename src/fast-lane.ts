import { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type Container } from './container';
import { deliver, planStream } from './controllers/stream-controller';
import { findFault } from './middleware/check-request';
import { answerError } from './middleware/error-handler';
import { exchangeOf } from './middleware/exchange';
import { announcesContent } from './middleware/refuse-content';
import { beginRequest } from './middleware/request-context';
import { subjectKey } from './services/redis-keys';
import { type SelectedTrack } from './services/track-source';
import { countFieldLines, readRequestFields } from './streaming/request-fields';

/** An original, by an address without query; a nested id comes percent-encoded. */
const PLAIN_TARGET = /^\/api\/stream\/([^/?#]+)$/;
const ROUTE = '/api/stream/:trackId';
const BEARER = 'Bearer ';

interface PlainRequest {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly trackId: string;
  readonly subject: string;
}

/**
 * A lane in front of the app for the one request that matters most: GET of an original, by a token
 * that was verified before, of a track its subject is admitted to.
 *
 * It decides nothing by itself: the same functions as in the app plan, count, log and send, without
 * the way through the framework, which costs more than all of them. Whatever is not plain, or asks
 * for an error, goes through the app, untouched.
 */
export function createFastLane(container: Container, app: RequestListener): RequestListener {
  const { tokens, admissions, tracks, quotas, browserFields, clock, createBoundary } = container;

  const readPlain = (req: IncomingMessage, res: ServerResponse): PlainRequest | undefined => {
    if (req.method !== 'GET') return undefined;
    const trackId = readTrackId(req.url ?? '');
    const token = readToken(req);
    if (trackId === undefined || token === undefined) return undefined;
    if (findFault(req) || announcesContent(req.headers)) return undefined;
    const subject = tokens.recall(token)?.subject;
    if (subject === undefined || !admissions.renewNow(subject, trackId)) return undefined;
    return { req, res, trackId, subject };
  };

  /** @returns whether the request was plain to its end and is being answered */
  const answer = (plain: PlainRequest, selected: SelectedTrack): boolean => {
    const { req, res, trackId, subject } = plain;
    const fields = readRequestFields(req.rawHeaders);
    const plan = planStream({ method: 'GET', fields, now: clock(), createBoundary }, selected);
    if (plan.status >= 400) return false;
    const quotaFields =
      plan.status === 304 ? [] : quotas.continuations.tryCount(subjectKey(subject));
    if (!quotaFields) return false;

    const context = beginRequest(container, req, res, 'info');
    Object.assign(context.entry, { route: ROUTE, track: trackId, subject });
    exchangeOf(req, res).onOver(() => void selected.track.close());
    container.watchSending(res, context);
    const commonFields = [
      'X-Request-Id',
      context.id,
      ...browserFields.of(req.headers.origin),
      ...quotaFields,
    ];
    const delivery = { plan, source: selected.track, memory: container.memory, commonFields };
    deliver(res, delivery, context).catch((error: unknown) => {
      for (let i = 0; i < commonFields.length; i += 2) {
        res.setHeader(commonFields[i] ?? '', commonFields[i + 1] ?? '');
      }
      answerError(error, context, res);
    });
    return true;
  };

  const pass = (plain: PlainRequest, selected: SelectedTrack): void => {
    if (answer(plain, selected)) return;
    void selected.track.close();
    app(plain.req, plain.res);
  };

  return (req, res) => {
    const plain = readPlain(req, res);
    if (!plain) {
      app(req, res);
      return;
    }
    const selected = tracks.selectNow(plain.trackId);
    if (selected) {
      pass(plain, selected);
      return;
    }
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

function readTrackId(url: string): string | undefined {
  const id = PLAIN_TARGET.exec(url)?.[1];
  if (!id?.includes('%')) return id;
  try {
    return decodeURIComponent(id);
  } catch {
    return undefined;
  }
}

function readToken({ headers, rawHeaders }: IncomingMessage): string | undefined {
  const { authorization } = headers;
  if (!authorization?.startsWith(BEARER)) return undefined;
  return countFieldLines(rawHeaders, 'authorization') === 1
    ? authorization.slice(BEARER.length)
    : undefined;
}
