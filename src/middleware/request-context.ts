import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type RequestHandler } from 'express';
import { type Logger } from '../observability/logger';
import { type RequestLevel, type RequestLog } from '../observability/request-log';
import { exchangeOf, type Exchange } from './exchange';

/** Why the server itself ended a response before its last byte. */
export type CutReason = 'send-timeout' | 'short-read' | 'read-failed' | 'grant-ended' | 'error';

/** What a request carries from its first step to its log line. */
export interface RequestContext {
  readonly id: string;
  readonly logger: Logger;
  /** aborted when the connection goes before the response is complete */
  readonly signal: AbortSignal;
  /** filled in on the way; read once, when the response is over */
  readonly entry: LogEntry;
  /** Call when the header section goes out. */
  markFirstByte(): void;
  /** Ends the response where it stands: after the header section nothing else is honest. */
  cut(reason: CutReason): void;
}

interface LogEntry {
  /** the pattern, not the address: /api/stream/:trackId */
  route?: string;
  track?: string;
  subject?: string;
  /** id of the playback grant that was shown, given out or changed */
  playback?: string;
  /** content bytes taken over by the socket; undefined until a controller counts them */
  bytesSent: number | undefined;
  /** content bytes of the whole answer, where they are counted */
  bytesDue?: number;
  /** milliseconds since the request was read, when the header section went out */
  firstByteMs?: number;
  cutReason?: CutReason;
}

/** What is known of a request when its context begins. */
export interface RequestBeginning extends Pick<LogEntry, 'route' | 'track' | 'subject'> {
  /** of the line for an answer that went well */
  readonly level: 'info' | 'debug';
}

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- the only way to extend Express' Request
  namespace Express {
    interface Request {
      context: RequestContext;
    }
  }
}

export interface RequestContextDeps {
  readonly logger: Logger;
  readonly requestLog: RequestLog;
}

/** Short enough that no token passes for an id. */
const SANE_REQUEST_ID = /^[\w.:-]{1,64}$/;

/**
 * Gives each request an id, a way to learn that its client left, and a log line at its end.
 *
 * @param level of the line for an answer that went well; failures rise above it by themselves
 */
export function createRequestContext(
  deps: RequestContextDeps,
  { level = 'info' }: Partial<Pick<RequestBeginning, 'level'>> = {},
): RequestHandler {
  return (req, res, next) => {
    req.context = beginRequest(deps, req, res, { level });
    res.setHeader('X-Request-Id', req.context.id);
    next();
  };
}

/**
 * Begins the context of a request; its line is written when the exchange is over: at once, with what
 * is known by then, for a client that has left already.
 */
export function beginRequest(
  deps: RequestContextDeps,
  req: IncomingMessage,
  res: ServerResponse,
  { level, route, track, subject }: RequestBeginning,
): RequestContext {
  const exchange = exchangeOf(req, res);
  const context = new TrackedRequest(deps, req, res, { startedAt: exchange.startedAt, level });
  const { entry } = context;
  if (route !== undefined) entry.route = route;
  if (track !== undefined) entry.track = track;
  if (subject !== undefined) entry.subject = subject;
  exchange.onOver(() => {
    context.end();
  });
  return context;
}

/**
 * A class, not a literal: each literal with an accessor gets a hidden class of its own, which V8 keeps,
 * with all that the accessor sees, until a full collection (measured: half of all that was allocated).
 */
class TrackedRequest implements RequestContext {
  readonly id: string;
  readonly entry: LogEntry = { bytesSent: undefined };
  private readonly method: string;
  private readonly url: string;
  private readonly startedAt: number;
  private readonly level: RequestBeginning['level'];
  private controller: AbortController | undefined;
  private hasLeft = false;

  constructor(
    private readonly deps: RequestContextDeps,
    { method = '', url = '', headers }: IncomingMessage,
    private readonly res: ServerResponse,
    { startedAt, level }: Pick<RequestBeginning, 'level'> & Pick<Exchange, 'startedAt'>,
  ) {
    const sent = headers['x-request-id'];
    this.id = typeof sent === 'string' && SANE_REQUEST_ID.test(sent) ? sent : randomUUID();
    this.method = method;
    this.url = url; // a router changes the address
    this.startedAt = startedAt;
    this.level = level;
  }

  get logger(): Logger {
    return this.deps.logger.child({ requestId: this.id });
  }

  /** Made when it is asked for: short answers never do. */
  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.hasLeft) this.controller.abort();
    }
    return this.controller.signal;
  }

  markFirstByte(): void {
    this.entry.firstByteMs = performance.now() - this.startedAt;
  }

  cut(reason: CutReason): void {
    this.entry.cutReason ??= reason;
    this.res.destroy();
  }

  /** The exchange is over: whoever waits learns of it, and the line is written. */
  end(): void {
    const { entry, res, method } = this;
    // a response counts as finished even when its last write failed
    const isComplete =
      res.writableFinished &&
      entry.cutReason === undefined &&
      (entry.bytesDue === undefined || entry.bytesSent === entry.bytesDue);
    if (!isComplete) {
      this.hasLeft = true;
      this.controller?.abort();
    }
    const durationMs = performance.now() - this.startedAt;
    this.deps.requestLog(resolveLevel(res, entry, this.level), {
      requestId: this.id,
      method,
      path: pathOf(this.url),
      route: entry.route ?? null,
      track: entry.track ?? null,
      status: res.statusCode,
      bytesSent: entry.bytesSent ?? (isComplete ? contentLengthOf(method, res) : 0),
      firstByteMs: roundMs(entry.firstByteMs ?? durationMs),
      durationMs: roundMs(durationMs),
      outcome: isComplete ? 'complete' : entry.cutReason ? 'cut-by-server' : 'client-left',
      ...(entry.cutReason ? { cutReason: entry.cutReason } : {}),
      subject: entry.subject ?? null,
      ...(entry.playback === undefined ? {} : { playback: entry.playback }),
    });
  }
}

/** Notes route and track for the log line: Express forgets both when a handler throws. */
export function createRouteNaming(): RequestHandler {
  return ({ route, baseUrl, params, context }, _res, next) => {
    context.entry.route = baseUrl + String((route as { path: unknown }).path);
    if (typeof params.trackId === 'string') context.entry.track = params.trackId;
    next();
  };
}

/** Milliseconds with two decimals. */
function roundMs(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** The path alone: a query may hold secrets, and so may the authority of an absolute address. */
function pathOf(target: string): string {
  if (target.startsWith('/') && !/[?#]/.test(target)) return target;
  return target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
}

function resolveLevel(
  res: ServerResponse,
  entry: LogEntry,
  level: RequestBeginning['level'],
): RequestLevel {
  if (res.statusCode >= 500) return 'error';
  return entry.cutReason === undefined ? level : 'warn';
}

function contentLengthOf(method: string, res: ServerResponse): number {
  if (method === 'HEAD') return 0;
  return Number(res.getHeader('Content-Length') ?? 0);
}
