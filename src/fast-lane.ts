import { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type Container } from './container';
import { planContent, planMetadata, tagMetadata } from './controllers/metadata-controller';
import { deliver, planStream } from './controllers/stream-controller';
import { vouchFor } from './middleware/authenticate';
import { setFields } from './middleware/browser-fields';
import { answerError } from './middleware/error-handler';
import { exchangeOf } from './middleware/exchange';
import { type FastQuota } from './middleware/rate-limit';
import { readPlainRequest, type PlainRequest } from './middleware/plain-request';
import { beginRequest } from './middleware/request-context';
import { handOver } from './middleware/select-track';
import { subjectKey } from './services/redis-keys';
import { type Principal } from './services/token-verifier';
import { describeError } from './observability/logger';
import { type SelectedTrack } from './services/track-source';
import { createMemorySource } from './streaming/memory-source';
import { type ByteSource } from './streaming/representation';
import { readRequestFields } from './streaming/request-fields';
import { type ResponsePlan } from './streaming/response-plan';

const ROUTE = '/api/stream/:trackId';
const METADATA_ROUTE = `${ROUTE}/metadata`;

interface Plain extends PlainRequest {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly principal: Principal;
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

  const readPlain = (req: IncomingMessage, res: ServerResponse): Plain | undefined => {
    const request = readPlainRequest(req);
    const principal = request && tokens.recall(request.token);
    // a track that the token does not allow is an error, and the app's to answer
    if (!principal || principal.mayOpen?.(request.trackId) === false) return undefined;
    const { trackId, isMetadata, token } = request;
    return { trackId, isMetadata, token, req, res, principal };
  };

  const isAdmitted = ({ principal, trackId, isMetadata }: Plain): boolean =>
    isMetadata || admissions.renewNow(principal.subject, trackId);

  const decide = ({ req, isMetadata }: Plain, selected: SelectedTrack): Decision | undefined => {
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
  const answer = (plain: Plain, selected: SelectedTrack): boolean => {
    const { req, res, trackId, isMetadata } = plain;
    const { subject } = plain.principal;
    const decision = decide(plain, selected);
    if (!decision) return false;
    const { plan, source, quota } = decision;
    const quotaFields = quota ? quota.tryCount(subjectKey(subject)) : [];
    if (!quotaFields) return false;

    const route = isMetadata ? METADATA_ROUTE : ROUTE;
    const beginning = { level: 'info', route, track: trackId, subject } as const;
    const context = beginRequest(container, req, res, beginning);
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

  /** To the app, which need not verify the token or open the track again. */
  const handOn = ({ req, res, principal }: Plain): void => {
    vouchFor(req, principal);
    app(req, res);
  };

  /** @param selecting what came to `selected`, for the app to take over */
  const answerOrHandOn = (
    plain: Plain,
    selected: SelectedTrack | undefined,
    selecting: () => Promise<SelectedTrack>,
  ): void => {
    try {
      if (selected && answer(plain, selected)) return;
    } catch (error) {
      container.logger.error('fast lane', { error: describeError(error) });
    }
    handOver(plain.req, plain.res, plain.trackId, selecting());
    handOn(plain);
  };

  const select = async (plain: Plain): Promise<void> => {
    const selecting = tracks.select(plain.trackId);
    answerOrHandOn(plain, await selecting.catch(() => undefined), () => selecting);
  };

  return (req, res) => {
    const plain = readPlain(req, res);
    if (!plain) {
      app(req, res);
      return;
    }
    const isOurs = isAdmitted(plain);
    const known = isOurs ? tracks.selectNow(plain.trackId) : undefined;
    if (known) answerOrHandOn(plain, known, () => Promise.resolve(known));
    else if (isOurs && !plain.isMetadata) void select(plain);
    else handOn(plain);
  };
}
