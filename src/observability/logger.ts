import { isNativeError } from 'node:util/types';
import { createLogger as createWinston, format, transports, type Logger } from 'winston';

export type { Logger };

export interface LoggerOptions {
  readonly level: string;
  readonly format: 'json' | 'text';
  /** where the lines go; standard output unless told */
  readonly stream?: NodeJS.WritableStream;
}

/** Anything shaped like a JWT or bearer credentials, wherever it came from. */
const CREDENTIALS = /\bBearer\s+[^\s"',]+|\beyJ[\w-]*\.[\w-]*(?:\.[\w-]*)*/gi;

/** Lines on standard output: JSON for machines, text for people. No credentials in either. */
export function createLogger({
  level,
  format: form,
  stream = process.stdout,
}: LoggerOptions): Logger {
  const lines =
    form === 'json'
      ? [format.json()]
      : [
          format.printf(({ timestamp, level, message, ...rest }) =>
            formatText(timestamp, level, message, rest),
          ),
        ];
  return createWinston({
    level,
    format: format.combine(format.timestamp(), redact(), ...lines),
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

/** Removes credentials from a text of any origin. */
export function redactCredentials(text: string): string {
  return text.replace(CREDENTIALS, '[redacted]');
}

const redact = format((info) => {
  // symbol keys carry winston's own state, so the entry is changed in place
  for (const [key, value] of Object.entries(info)) info[key] = redactValue(value);
  return info;
});

function redactValue(value: unknown): unknown {
  if (typeof value === 'string') return redactCredentials(value);
  if (Array.isArray(value)) return value.map(redactValue);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, redactValue(inner)]),
    );
  }
  return value;
}

function formatText(
  timestamp: unknown,
  level: string,
  message: unknown,
  rest: Readonly<Record<string, unknown>>,
): string {
  const details = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) =>
        ` ${key}=${typeof value === 'string' ? quote(value) : JSON.stringify(value)}`,
    )
    .join('');
  return `${String(timestamp)} ${level.padEnd(5)} ${String(message)}${details}`;
}

/** A value with spaces or control characters must not look like two, or like a line of its own. */
function quote(value: string): string {
  return /^[^\s"=\p{Cc}]+$/u.test(value) ? value : JSON.stringify(value);
}
