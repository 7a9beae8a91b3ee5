import { Writable } from 'node:stream';
import { sign } from 'jsonwebtoken';
import fc from 'fast-check';
import {
  createLogger,
  describeError,
  redactCredentials,
  type Logger,
} from '../../../src/observability/logger';
import { runBounded } from '../../support/bounded-time';

const SECRET = 'a-secret-for-tests-of-32-bytes-or-more';
const TOKEN = sign({ sub: 'listener', secret: 'SENTINEL' }, SECRET, { expiresIn: 600 });
const [HEADER = '', PAYLOAD = '', SIGNATURE = ''] = TOKEN.split('.');

/** All that a logger wrote after `work`. */
function linesOf(format: 'json' | 'text', work: (logger: Logger) => void, level = 'silly'): string {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  work(createLogger({ level, format, stream }));
  return text;
}

describe.each(['json', 'text'] as const)('createLogger() in %s', (format) => {
  it('writes one line for each entry, with time, level, message and details', () => {
    const text = linesOf(format, (logger) => {
      logger.info('request', { status: 206, track: 'Artist/song', ok: true, none: null });
      logger.error('broke off');
    });
    expect(text).toMatch(/^[^\n]+\n[^\n]+\n$/);
    const [first = '', second = ''] = text.split('\n');
    for (const part of ['info', 'request', '206', 'Artist/song', 'true', 'null']) {
      expect(first).toContain(part);
    }
    expect(first).toMatch(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/);
    expect(second).toMatch(/error.*broke off/);
  });

  it('obeys the level', () => {
    const text = linesOf(
      format,
      (logger) => {
        logger.error('shown-error');
        logger.warn('shown-warn');
        logger.info('hidden-info');
        logger.debug('hidden-debug');
      },
      'warn',
    );
    expect(text).toContain('shown-error');
    expect(text).toContain('shown-warn');
    expect(text).not.toContain('hidden');
  });

  it('adds what a child was made with', () => {
    const text = linesOf(format, (logger) => {
      logger.child({ requestId: 'id-1' }).info('hello');
    });
    expect(text).toContain('id-1');
  });

  const wrapped: [string, string][] = [
    ['as it is', TOKEN],
    ['as credentials', `Bearer ${TOKEN}`],
    ['as credentials in small letters', `bearer ${TOKEN}`],
    ['as credentials in capitals', `BEARER ${TOKEN}`],
    ['behind two spaces', `Bearer  ${TOKEN}`],
    ['behind a tab', `Bearer\t${TOKEN}`],
    ['as a field', `Authorization: Bearer ${TOKEN}`],
    ['in a header list', `["authorization","Bearer ${TOKEN}"]`],
    ['in JSON', JSON.stringify({ headers: { authorization: `Bearer ${TOKEN}` } })],
    ['in JSON in JSON', JSON.stringify(JSON.stringify({ token: TOKEN }))],
    ['in a query', `/api/stream/a?token=${TOKEN}&x=1`],
    ['in an encoded query', `/login?next=%2Fapi%3Ftoken%3D${TOKEN}`],
    ['in an encoded path', `/api/stream/Bearer%20${TOKEN}`],
    ['in a path', `/api/stream/${TOKEN}`],
    ['in a path, encoded', `/api/stream/x%2F${TOKEN}`],
    ['behind an underscore', `access_token_${TOKEN}`],
    ['behind a letter', `x${TOKEN}`],
    ['in quotes', `'${TOKEN}'`],
    ['twice', `${TOKEN} ${TOKEN}`],
    ['twice with nothing between', `${TOKEN}${TOKEN}`],
    ['in an error', `JsonWebTokenError: invalid token ${TOKEN} at verify`],
    ['over two lines', `Bearer\n${TOKEN}`],
    ['without its header', `Bearer .${PAYLOAD}.${SIGNATURE}`],
    ['without its signature', `${TOKEN.split('.').slice(0, 2).join('.')}.`],
    ['with padding', `${TOKEN}==`],
  ];

  const places: [string, (logger: Logger, text: string) => void][] = [
    ['message', (logger, text) => logger.info(text)],
    ['value', (logger, text) => logger.info('x', { value: text })],
    ['nested value', (logger, text) => logger.info('x', { a: { b: [{ c: text }] } })],
    ['list', (logger, text) => logger.info('x', { list: ['a', text] })],
    [
      'message of an error',
      (logger, text) => logger.error('x', { error: describeError(new Error(text)) }),
    ],
    [
      'cause of an error',
      (logger, text) => {
        const error = new Error('x', { cause: new Error(text) });
        logger.error('x', { error: describeError(error) });
      },
    ],
    ['thrown text', (logger, text) => logger.error('x', { error: describeError(text) })],
    ['child', (logger, text) => logger.child({ path: text }).info('x')],
    ['message beside another', (logger, text) => logger.info('x', { message: text })],
  ];

  it.each(wrapped)('lets no part of a token through %s', (_how, text) => {
    const leaks = places.flatMap(([place, write]) => {
      const written = linesOf(format, (logger) => {
        write(logger, text);
      });
      expect(written).not.toBe('');
      return Object.entries({ HEADER, PAYLOAD, SIGNATURE })
        .filter(([, part]) => written.includes(part))
        .map(([part]) => `${part} in ${place}`);
    });
    expect(leaks).toEqual([]);
  });

  it.each(['opaque-token', 'abc.def~ghi+jkl/mno=', 'deadbeef'])(
    'lets no bearer credentials of another kind through: %s',
    (credentials) => {
      const written = linesOf(format, (logger) => {
        logger.info(`Authorization: Bearer ${credentials}`, { field: `bearer ${credentials}` });
      });
      expect(written).not.toContain(credentials);
    },
  );

  it('lets no token through in an error that is logged as it is', () => {
    const written = linesOf(format, (logger) => logger.error(new Error(`invalid ${TOKEN}`)));
    expect(written).not.toContain(SIGNATURE);
  });

  it('lets no token through as the name of a value', () => {
    const written = linesOf(format, (logger) => {
      logger.info('x', { [TOKEN]: 1, nested: { [TOKEN]: 1 } });
    });
    expect(written).not.toContain(SIGNATURE);
  });

  it('leaves what is no credentials alone', () => {
    const text = linesOf(format, (logger) => {
      logger.info('opened', { track: 'Bears/They.are.eyes', path: '/api/stream/key.less' });
    });
    expect(text).toContain('Bears/They.are.eyes');
    expect(text).toContain('/api/stream/key.less');
  });

  const control = fc.constantFrom(
    ...Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code)).filter((char) =>
      /\p{Cc}/u.test(char),
    ),
    '\u2028',
    '\u2029',
    'a',
    ' ',
    '=',
    '"',
    '\\',
  );

  it('is one line of text whatever is written, in any place', () => {
    fc.assert(
      fc.property(fc.string({ unit: control, minLength: 1, maxLength: 8 }), (evil) => {
        const places: ((logger: Logger) => void)[] = [
          (logger) => logger.info('x', { value: evil }),
          (logger) => logger.info('x', { a: { b: [evil] } }),
          (logger) => logger.info('x', { error: describeError(new Error(evil)) }),
          (logger) => logger.info(`x${evil}`),
          (logger) => logger.info('x', { message: evil }),
          (logger) => logger.info('x', { [`key${evil}`]: 1 }),
          (logger) => logger.info('x', { a: { [`key${evil}`]: 1 } }),
        ];
        for (const place of places) {
          const text = linesOf(format, place);
          expect(text.endsWith('\n')).toBe(true);
          expect(text.slice(0, -1)).not.toMatch(/[\r\n]/);
        }
      }),
    );
  });
});

describe('createLogger() in text', () => {
  const forged = '2024-01-01T00:00:00.000Z info  all is well';

  it.each([
    ['line feed', '\n'],
    ['carriage return', '\r'],
    ['both', '\r\n'],
    ['vertical tab', '\v'],
    ['form feed', '\f'],
    ['NUL', '\0'],
    ['backspace', '\b'],
    ['escape', '\u001b[2K\u001b[1G'],
    ['DEL', '\u007f'],
    ['next line', '\u0085'],
    ['control sequence introducer', '\u009b2K'],
    ['line separator', '\u2028'],
    ['paragraph separator', '\u2029'],
  ])('shows a person no line that was never written, by a %s', (_what, evil) => {
    const text = linesOf('text', (logger) => {
      logger.info('request', { track: `song${evil}${forged}`, nested: { a: `${evil}${forged}` } });
    });
    expect(text.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
  });

  it('shows no value as if it were two', () => {
    const text = linesOf('text', (logger) => {
      logger.info('request', { track: 'song status=200', subject: 'a"b', other: 'x=y' });
    });
    expect(text).toContain('track="song status=200"');
    expect(text).toContain('subject="a\\"b"');
    expect(text).toContain('other="x=y"');
  });

  it('leaves out what is undefined', () => {
    const text = linesOf('text', (logger) => {
      logger.info('request', { track: undefined, status: 200 });
    });
    expect(text).toMatch(/info {2}request status=200\n$/);
  });
});

describe('createLogger() in json', () => {
  it('writes entries that can be read back', () => {
    const text = linesOf('json', (logger) => {
      logger.info('request', { track: 'a"b\n\u2028\u0085', list: [1, 'x'], nested: { a: null } });
    });
    expect(JSON.parse(text)).toMatchObject({
      level: 'info',
      message: 'request',
      track: 'a"b\n\u2028\u0085',
      list: [1, 'x'],
      nested: { a: null },
    });
  });
});

describe('describeError()', () => {
  it('tells name, message, code, stack and causes', () => {
    const cause = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' });
    expect(describeError(new TypeError('outer', { cause }))).toMatchObject({
      name: 'TypeError',
      message: 'outer',
      stack: expect.stringContaining('outer') as string,
      cause: { name: 'Error', message: 'ENOENT: no such file', code: 'ENOENT' },
    });
  });

  it.each([
    ['text', 'text'],
    [42, '42'],
    [undefined, 'undefined'],
    [null, 'null'],
  ])('tells what else was thrown: %j', (thrown, message) => {
    expect(describeError(thrown)).toEqual({ message });
  });
});

describe('redactCredentials()', () => {
  it('keeps what is around them', () => {
    expect(redactCredentials(`before Bearer ${TOKEN} after`)).toBe('before [redacted] after');
    expect(redactCredentials(`before ${TOKEN}, after`)).toBe('before [redacted], after');
  });

  const size = 400_000;
  it.each([
    ['spaces', `Bearer${' '.repeat(size)}`],
    ['marks', 'Bearer '.repeat(size / 7)],
    ['marks of tokens', 'eyJ'.repeat(size / 3)],
    ['dots', `eyJ${'.'.repeat(size)}`],
    ['parts', `eyJ${'.a'.repeat(size / 2)}`],
    ['letters', 'a'.repeat(size)],
  ])('takes time that grows with the length of the text, no faster: %s', (_what, text) => {
    expect(() => runBounded(() => redactCredentials(text))).not.toThrow();
  });
});
