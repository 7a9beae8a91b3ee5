import { type ServerResponse } from 'node:http';
import { AppError, type ErrorCode } from '../../../src/errors';
import { answerError } from '../../../src/middleware/error-handler';
import { type RequestContext } from '../../../src/middleware/request-context';

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The lines that the answer to an error leaves in the log. */
function linesFor(error: unknown): readonly Line[] {
  const lines: Line[] = [];
  const write =
    (level: string) =>
    (message: string, fields: Record<string, unknown>): void => {
      lines.push({ level, message, fields });
    };
  const context = {
    signal: new AbortController().signal,
    logger: { warn: write('warn'), error: write('error') },
  } as unknown as RequestContext;
  // destroyed: only what is logged is of interest here
  const response: unknown = { headersSent: false, destroyed: true };
  answerError(error, context, response as ServerResponse);
  return lines;
}

describe('answerError()', () => {
  it.each<ErrorCode>(['overloaded', 'not_ready_yet', 'keys_unavailable'])(
    'says %s in one warning without a stack',
    (code) => {
      const error = new AppError(code, 'Later', { cause: new Error('why') });
      expect(linesFor(error)).toEqual([{ level: 'warn', message: 'Later', fields: { code } }]);
    },
  );

  it.each<ErrorCode>(['track_unavailable', 'library_unavailable', 'internal_error'])(
    'logs %s whole, as an error',
    (code) => {
      expect(linesFor(new AppError(code, 'Broken', { cause: new Error('why') }))).toMatchObject([
        {
          level: 'error',
          message: 'Broken',
          fields: {
            error: {
              code,
              stack: expect.stringContaining('at ') as string,
              cause: { message: 'why' },
            },
          },
        },
      ]);
    },
  );

  it('logs nothing for what the client did', () => {
    expect(linesFor(new AppError('bad_request', 'No'))).toEqual([]);
  });
});
