import { type LineSink } from './line-sink';
import { formatText, redactCredentials, type Logger, type LoggerOptions } from './logger';

/** What the line of a request says beside time, level and message. */
export interface RequestRecord {
  readonly requestId: string;
  readonly method: string;
  /** without query */
  readonly path: string;
  /** the pattern, not the address: /api/stream/:trackId */
  readonly route: string | null;
  readonly track: string | null;
  readonly status: number;
  /** content bytes taken over by the socket */
  readonly bytesSent: number;
  /** milliseconds since the request was read */
  readonly firstByteMs: number;
  readonly durationMs: number;
  readonly outcome: 'complete' | 'cut-by-server' | 'client-left';
  readonly cutReason?: string;
  readonly subject: string | null;
  /** id of a playback grant, which opens nothing by itself */
  readonly playback?: string;
}

const LEVELS = ['error', 'warn', 'info', 'debug'] as const;

export type RequestLevel = (typeof LEVELS)[number];

/** Writes the line of a request that is over. */
export type RequestLog = (level: RequestLevel, record: RequestRecord) => void;

/**
 * The lines of requests. Past winston, whose general way costs ten times as much: there is one for
 * each request.
 *
 * @param logger decides which levels are written, once and for all
 */
export function createRequestLog(
  logger: Pick<Logger, 'isLevelEnabled'>,
  { format, worker }: Pick<LoggerOptions, 'format' | 'worker'>,
  sink: LineSink,
): RequestLog {
  const toLine = format === 'json' ? createJsonFormat(worker) : createTextFormat(worker);
  // asked once: winston goes through all of its outputs each time
  const written = new Set(LEVELS.filter((level) => logger.isLevelEnabled(level)));
  return (level, record) => {
    if (!written.has(level)) return;
    const line = toLine(new Date().toISOString(), level, record);
    sink.append(`${redactCredentials(line)}\n`);
  };
}

type LineFormat = (timestamp: string, level: RequestLevel, record: RequestRecord) => string;

/** By hand: only what comes from a client is searched for what needs quoting. */
function createJsonFormat(worker: number | undefined): LineFormat {
  const end = worker === undefined ? '}' : `,"worker":${worker}}`;
  return (timestamp, level, record) => {
    const { cutReason, playback } = record;
    return (
      `{"timestamp":"${timestamp}","level":"${level}","message":"request"` +
      `,"requestId":"${record.requestId}","method":"${record.method}"` +
      `,"path":${quote(record.path)},"route":${quote(record.route)},"track":${quote(record.track)}` +
      `,"status":${record.status},"bytesSent":${record.bytesSent}` +
      `,"firstByteMs":${record.firstByteMs},"durationMs":${record.durationMs}` +
      `,"outcome":"${record.outcome}"` +
      (cutReason === undefined ? '' : `,"cutReason":"${cutReason}"`) +
      `,"subject":${quote(record.subject)}` +
      (playback === undefined ? '' : `,"playback":${quote(playback)}`) +
      end
    );
  };
}

function quote(text: string | null): string {
  return JSON.stringify(text);
}

function createTextFormat(worker: number | undefined): LineFormat {
  const more = worker === undefined ? {} : { worker };
  return (timestamp, level, record) =>
    formatText({ timestamp, level, message: 'request', ...record, ...more });
}
