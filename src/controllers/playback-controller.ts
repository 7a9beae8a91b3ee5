import { type RequestHandler } from 'express';
import { AppError } from '../errors';
import { plannedDelivery } from '../middleware/select-track';
import { sendJson } from '../middleware/send-json';
import { type MetadataService } from '../services/metadata-service';
import { type Playbacks } from '../services/playback';
import { type PlaybackGrants } from '../services/playback-grants';
import { parseQuery, readChoice } from '../services/query-values';
import { unquote } from '../streaming/entity-tag';

export interface PlaybackControllerDeps {
  readonly grants: Pick<PlaybackGrants, 'sign'>;
  readonly playbacks: Pick<Playbacks, 'begin' | 'extend' | 'end'>;
  readonly metadata: MetadataService;
  /** how long a listener may pause, beside the track's duration */
  readonly pauseSeconds: number;
  /** 22 characters of base64url, 128 random bits */
  readonly createId: () => string;
  /** milliseconds since 1970 */
  readonly now: () => number;
}

/** What counts for a track that does not say; most that is not is shorter. */
const UNKNOWN_DURATION_SECONDS = 6 * 60 * 60;
/** A week, as for HLS: a track that claims more is mistaken, and its addresses would open it forever. */
const MOST_DURATION_SECONDS = 7 * 24 * 60 * 60;

const ID = /^[\w-]{22}$/;

/**
 * POST /api/stream/:trackId/playback: addresses that open the track without a token, for a delivery
 * that is planned and paid for.
 */
export function createBeginPlayback({
  grants,
  playbacks,
  metadata,
  pauseSeconds,
  createId,
  now,
}: PlaybackControllerDeps): RequestHandler {
  return async (req, res) => {
    const { selected, holdUntil } = plannedDelivery(req);
    const takeover = readTakeover(req.originalUrl);
    const description = metadata.describe(selected);
    holdUntil(description);
    const duration = (await description).metadata.duration;
    const durationSeconds = duration === null ? null : Math.min(duration, MOST_DURATION_SECONDS);
    const grant = {
      id: createId(),
      subject: req.principal.subject,
      trackId: selected.id,
      signedEndSeconds: Math.ceil(
        now() / 1000 + (durationSeconds ?? UNKNOWN_DURATION_SECONDS) + pauseSeconds,
      ),
    };
    // what cannot be signed must not take a place
    const text = grants.sign(grant);
    await playbacks.begin({ ...grant, durationSeconds }, takeover);

    req.context.entry.playback = grant.id;
    res.status(201).set('Cache-Control', 'no-store');
    sendJson(res, {
      status: 'success',
      data: {
        id: grant.id,
        ...formatAddresses(grant.trackId, text, unquote(selected.entityTag)),
        expiresAt: formatTime(grant.signedEndSeconds * 1000),
      },
    });
  };
}

/** PUT /api/stream/:trackId/playback/:id: the same addresses go on for longer. */
export function createExtendPlayback({
  playbacks,
}: Pick<PlaybackControllerDeps, 'playbacks'>): RequestHandler {
  return async (req, res) => {
    const { trackId, id } = readPlayback(req.params);
    const endsAtMs = await playbacks.extend(trackId, id, req.principal.subject);
    if (endsAtMs === undefined) throw playbackNotFound();
    req.context.entry.playback = id;
    res.set('Cache-Control', 'no-store');
    sendJson(res, { status: 'success', data: { id, expiresAt: formatTime(endsAtMs) } });
  };
}

/** DELETE /api/stream/:trackId/playback/:id: the addresses open nothing any more. */
export function createEndPlayback({
  playbacks,
}: Pick<PlaybackControllerDeps, 'playbacks'>): RequestHandler {
  return async (req, res) => {
    const { trackId, id } = readPlayback(req.params);
    if (!(await playbacks.end(trackId, id, req.principal.subject))) throw playbackNotFound();
    req.context.entry.playback = id;
    res.status(204).end();
  };
}

function readTakeover(url: string): boolean {
  return readChoice(parseQuery(url), 'takeover', ['true', 'false']) === 'true';
}

function formatAddresses(
  trackId: string,
  grant: string,
  validator: string,
): Readonly<Record<string, string>> {
  const path = `/api/stream/${encodeURIComponent(trackId)}`;
  return {
    // what a browser has of the track it need not ask for again while it is the same
    url: `${path}?grant=${grant}&v=${validator}`,
    hlsUrl: `${path}/hls/master.m3u8?grant=${grant}`,
    artworkUrl: `${path}/artwork?grant=${grant}`,
    waveformUrl: `${path}/waveform?grant=${grant}`,
  };
}

function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** The playback that the parameters of a route name. @throws AppError `playback_not_found` */
export function readPlayback(params: Readonly<Record<string, unknown>>): {
  trackId: string;
  id: string;
} {
  const [trackId, id] = [String(params.trackId), String(params.id)];
  if (!ID.test(id)) throw playbackNotFound();
  return { trackId, id };
}

/** What whoever asks for a playback of nobody's or somebody else's is told. */
export function playbackNotFound(): AppError {
  return new AppError('playback_not_found', 'You have no such playback of this track');
}
