import { isNativeError } from 'node:util/types';
import {
  createLogger as createWinston,
  format,
  transports,
  type Logform,
  type Logger,
} from 'winston';

export type { Logger };

export interface LoggerOptions {
  readonly level: string;
  readonly format: 'json' | 'text';
  /** where the lines go; standard output unless told */
  readonly stream?: NodeJS.WritableStream;
  /** number of this process where there are several; in every line */
  readonly worker?: number;
}

/** Where winston keeps the finished line. */
const MESSAGE = Symbol.for('message');
/** Takes no quote and no escape along, so that JSON stays JSON. */
const BEARER_CREDENTIALS = /\bBearer\s+[^\s"',\\]+/gi;
/** Anything a JWT could stand in; whole runs, so that no text makes the search start over and over. */
const TOKEN_CHARACTERS = /[\w.-]+/g;
/** How the header of a JWT starts: `{"` in base64url. */
const JWT_START = 'eyJ';
/** What could end a line, or make a terminal do things. */
const CONTROLS = /[\p{Cc}\u2028\u2029]/gu;

/** Lines on standard output: JSON for machines, text for people. No credentials in either. */
export function createLogger({
  level,
  format: form,
  stream = process.stdout,
  worker,
}: LoggerOptions): Logger {
  return createWinston({
    level,
    ...(worker === undefined ? {} : { defaultMeta: { worker } }),
    format: format.combine(
      format.timestamp(),
      form === 'json' ? format.json() : format.printf(formatText),
      redact(),
    ),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's types call the constructor an instance
    transports: [new transports.Stream({ stream })],
  });
}

/** What an error says of itself, for a log line; causes included, as only operators see it. */
export function describeError(error: unknown): Record<string, unknown> {
  if (!isNativeError(error)) return { message: String(error) };
  return {
    name: error.name,
    message: error.message,
    ...('code' in error ? { code: error.code } : {}),
    stack: error.stack,
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  };
}

/** Removes bearer credentials and JWTs, wherever they stand. */
export function redactCredentials(text: string): string {
  const withoutBearer = text.replace(BEARER_CREDENTIALS, '[redacted]');
  return withoutBearer.includes(JWT_START)
    ? withoutBearer.replace(TOKEN_CHARACTERS, redactToken)
    : withoutBearer;
}

function redactToken(run: string): string {
  const start = run.indexOf(JWT_START);
  return start >= 0 && run.includes('.', start) ? `${run.slice(0, start)}[redacted]` : run;
}

/** Over the finished line, so that no place in it is forgotten. */
const redact = format((info) => {
  info[MESSAGE] = redactCredentials(String(info[MESSAGE]));
  return info;
});

/** A line for people; nothing in it can end the line or make a terminal do things. */
export function formatText({
  timestamp,
  level,
  message,
  ...rest
}: Logform.TransformableInfo): string {
  const details = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) =>
        ` ${key}=${typeof value === 'string' ? quote(value) : JSON.stringify(value)}`,
    )
    .join('');
  const line = `${String(timestamp)} ${level.padEnd(5)} ${String(message)}${details}`;
  return line.replace(CONTROLS, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return `\\u${code.padStart(4, '0')}`;
  });
}

/** A value with spaces must not look like two. */
function quote(value: string): string {
  return /^[^\s"=]+$/u.test(value) ? value : JSON.stringify(value);
}
