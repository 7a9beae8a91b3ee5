import { truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { itWith, runClient } from '../support/client-program';
import { patternedBytes } from '../support/patterned-bytes';
import { formatRequest, openRaw, type RawConnection } from '../support/raw-connection';
import { startService, stopServices, type ServiceProcess } from '../support/service-process';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

const library = createTempFolder();
const track = patternedBytes(1000);
const headers = { Authorization: bearer() };
let service: ServiceProcess;

beforeAll(async () => {
  writeFileSync(join(library, 'song.mp3'), track);
  service = await startService({ AUDIO_FILES_DIR: library });
});
afterAll(async () => {
  await stopServices();
  removeTempFolders();
});

describe('a connection on which no request comes', () => {
  /** headersTimeout 10 s, looked at every second; and two seconds for a busy machine. */
  const CLOSED_MS = 13_000;
  const get = formatRequest('/api/stream/song', headers);
  let drip: NodeJS.Timeout;
  let dripping: RawConnection;
  let silent: RawConnection;
  let half: RawConnection;
  let idle: RawConnection;

  // all at once: each of the tests waits for its own
  beforeAll(async () => {
    [dripping, silent, half, idle] = await Promise.all([
      openRaw(service.port, 'GET /api/stream/song HTTP/1.1\r\nHost: localhost\r\nX-Drip: '),
      openRaw(service.port),
      openRaw(service.port, get),
      openRaw(service.port, get),
    ]);
    drip = setInterval(() => dripping.socket.write('x'), 1_000);
    await half.waitFor(track.toString('latin1'));
    half.socket.write('GET /api');
  });
  afterAll(() => {
    clearInterval(drip);
  });

  it('is closed when its header section drips', async () => {
    expectRefusal(await dripping.untilClosed(CLOSED_MS), 408, 'request_timeout');
    expect(await dripping.closedAfterMs).toBeGreaterThan(9_000);
  });

  it('is closed when it is silent', async () => {
    expect(await silent.untilClosed(CLOSED_MS)).toBe('');
    expect(await silent.closedAfterMs).toBeLessThan(CLOSED_MS);
  });

  it('is closed when a second request stays half', async () => {
    const text = await half.untilClosed(CLOSED_MS);
    expectRefusal(text.slice(text.lastIndexOf('HTTP/1.1 ')), 408, 'request_timeout');
  });

  it('is kept when it is idle after a request', async () => {
    // it is by now, beyond both timeouts of requests and the idle time of many a client
    await half.closedAfterMs;
    idle.socket.write(formatRequest('/health', { Connection: 'close' }));
    expect(await idle.untilClosed()).toMatch(/HTTP\/1\.1 200 OK\r\n[^]*"status":"ok"/);
  });
});

describe('requests that are not what they seem', () => {
  const GET = 'GET /api/stream/song HTTP/1.1\r\nHost: localhost\r\n';
  const behind = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n';
  /** Content of five bytes, or the last chunk of it, for whom it concerns. */
  const five = '0\r\n\r\n';
  const chunked = 'Transfer-Encoding: chunked\r\n';

  const forms: readonly [form: string, request: string, statuses: readonly number[]][] = [
    // RFC 9112 §6.3
    [
      'Content-Length and Transfer-Encoding',
      `${GET}Content-Length: 5\r\n${chunked}\r\n${five}`,
      [400],
    ],
    [
      'Transfer-Encoding and Content-Length',
      `${GET}${chunked}Content-Length: 5\r\n\r\n${five}`,
      [400],
    ],
    ['two Content-Lengths', `${GET}Content-Length: 5\r\nContent-Length: 6\r\n\r\n${five}`, [400]],
    [
      'one Content-Length twice',
      `${GET}Content-Length: 5\r\nContent-Length: 5\r\n\r\n${five}`,
      [400],
    ],
    ['a list of Content-Lengths', `${GET}Content-Length: 5, 5\r\n\r\n${five}`, [400]],
    ['a signed Content-Length', `${GET}Content-Length: +5\r\n\r\n${five}`, [400]],
    ['a negative Content-Length', `${GET}Content-Length: -5\r\n\r\n${five}`, [400]],
    ['a hexadecimal Content-Length', `${GET}Content-Length: 0x5\r\n\r\n${five}`, [400]],
    ['an endless Content-Length', `${GET}Content-Length: ${'9'.repeat(30)}\r\n\r\n${five}`, [400]],
    ['an empty Content-Length', `${GET}Content-Length: \r\n\r\n`, [400]],
    // §6.1: of codings, chunked is the last, and there once
    [
      'chunked that is not last',
      `${GET}Transfer-Encoding: chunked, identity\r\n\r\n${five}`,
      [400],
    ],
    ['two Transfer-Encodings', `${GET}${chunked}Transfer-Encoding: identity\r\n\r\n${five}`, [400]],
    // content is refused unread, so what seems to be in it is never a request
    [
      'a coding alone that is no more',
      `${GET}Transfer-Encoding: identity\r\n\r\n${five}`,
      [400, 413],
    ],
    ['an unknown coding', `${GET}Transfer-Encoding: xchunked\r\n\r\n${five}`, [400, 413]],
    ['chunked in HTTP/1.0', `${GET.replace('1.1', '1.0')}${chunked}\r\n${five}`, [400, 413]],
    ['chunked content on GET', `${GET}${chunked}\r\n${five}`, [413]],
    ['chunks of no valid size', `${GET}${chunked}\r\nffffffffffffffff1\r\n`, [400, 413]],
    ['a chunk that is longer than it says', `${GET}${chunked}\r\n1\r\nab\r\n${five}`, [400, 413]],
    ['a chunk extension with a bare LF', `${GET}${chunked}\r\n0;a\n\r\n`, [400, 413]],
    ['Content-Length on GET', `${GET}Content-Length: 5\r\n\r\n${five}`, [413]],
    // §2.2, §5.1, §5.2
    ['a bare LF in the header section', `${GET}X-A: b\nX-C: d\r\n\r\n`, [400]],
    ['a bare LF behind Transfer-Encoding', `${GET}Transfer-Encoding: chunked\n\r\n${five}`, [400]],
    ['a bare LF behind the request line', GET.replace('1.1\r\n', '1.1\n') + '\r\n', [400]],
    ['a bare CR in a field value', `${GET}X-A: b\rX-C: d\r\n\r\n`, [400]],
    ['a space before the colon', `${GET}Transfer-Encoding : chunked\r\n\r\n${five}`, [400]],
    ['a space before the first field', GET.replace('Host', ' Host') + '\r\n', [400]],
    ['a folded line', `${GET}X-A: b\r\n c\r\n\r\n`, [400]],
    ['a folded Transfer-Encoding', `${GET}Transfer-Encoding:\r\n chunked\r\n\r\n${five}`, [400]],
    ['a NUL in a field value', `${GET}X-A: b\0c\r\n\r\n`, [400]],
    ['a field without a colon', `${GET}X-A\r\n\r\n`, [400]],
    ['a field without a name', `${GET}: b\r\n\r\n`, [400]],
    ['a NUL in the target', GET.replace('song', 'so\0ng') + '\r\n', [400]],
    // §3.2
    ['no Host', 'GET /api/stream/song HTTP/1.1\r\n\r\n', [400]],
    ['two Hosts', `${GET}Host: localhost\r\n\r\n`, [400]],
    ['a Host that is none', GET.replace('localhost', 'local host') + '\r\n', [400]],
  ];

  it('refuses them in the form of the API, closes, and takes nothing behind them for a request', async () => {
    const codes: Readonly<Record<number, string>> = {
      400: 'bad_request',
      413: 'content_too_large',
    };
    const seen = await Promise.all(
      forms.map(async ([form, request]) => ({
        form,
        ...summarize(await exchange(request + behind)),
      })),
    );
    expect(seen).toEqual(
      forms.map(([form, , statuses], i) => {
        const status = statuses.find((allowed) => allowed === seen[i]?.status) ?? statuses[0]!;
        return { form, status, code: codes[status], hasDate: true, closes: true, answers: 1 };
      }),
    );
  });

  it('answers what was right before something that is not, whole, and closes', async () => {
    const text = await exchange(formatRequest('/api/stream/song', headers) + '\x01\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    const contentAt = text.indexOf('\r\n\r\n') + 4;
    expect(text.slice(contentAt, contentAt + 1000)).toBe(track.toString('latin1'));
    const rest = text.slice(contentAt + 1000);
    if (rest !== '') expectRefusal(rest, 400, 'bad_request');
  });

  it.each<[what: string, request: string, status: number, code: string]>([
    // RFC 9112 §3: what has no method is no request line
    ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\r\n\r\n', 400, 'bad_request'],
    [
      'a request line that begins with a space',
      ' GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      400,
      'bad_request',
    ],
    [
      'a header section of 20 kB',
      `${GET}X-A: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
      'header_fields_too_large',
    ],
    [
      'an address of 20 kB',
      `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
      414,
      'uri_too_long',
    ],
    [
      'an unknown method',
      'BREW /api/stream/song HTTP/1.1\r\nHost: a\r\n\r\n',
      501,
      'not_implemented',
    ],
    [
      'a method in lower case',
      'get /api/stream/song HTTP/1.1\r\nHost: a\r\n\r\n',
      501,
      'not_implemented',
    ],
    [
      'CONNECT',
      'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n',
      405,
      'method_not_allowed',
    ],
  ])('answers %s in the form of the API and closes', async (_what, request, status, code) => {
    const text = await exchange(request);
    expectRefusal(text, status, code);
    if (status === 405) expect(text).toMatch(/\r\nAllow: GET, HEAD, OPTIONS\r\n/);
  });

  it('never asks for content with 100 Continue', async () => {
    const fields = { ...headers, 'Content-Length': '5', Expect: '100-continue' };
    const ask = (method: string): Promise<string> =>
      exchange(formatRequest('/api/stream/song', fields, method));
    expectRefusal(await ask('GET'), 413, 'content_too_large');
    expectRefusal(await ask('POST'), 405, 'method_not_allowed');
  });

  itWith('curl').each<[form: string, args: string[], status: number]>([
    ['of known length', [], 413],
    ['of unknown length', ['-H', 'Transfer-Encoding: chunked'], 413],
    ['sent without asking first', ['-H', 'Expect:'], 413],
    [
      'of unknown length, without asking',
      ['-H', 'Expect:', '-H', 'Transfer-Encoding: chunked'],
      413,
    ],
    ['encoded', ['-H', 'Expect:', '-H', 'Content-Encoding: gzip'], 415],
  ])('refuses 50 MB of content %s, and the client learns why', async (_form, args, status) => {
    const upload = join(library, 'upload.bin');
    writeFileSync(upload, '');
    truncateSync(upload, 50_000_000);
    const url = `http://127.0.0.1:${service.port}/api/stream/song`;
    const run = await runClient('curl', [
      ...['-sS', '-X', 'GET', '-T', upload, '--max-time', '10'],
      ...['-w', '\n%{http_code} %{size_upload}', '-D', '-', ...args, url],
    ]);
    const text = run.stdout.toString();
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).toContain('\r\nConnection: close\r\n');
    const [, sentBytes] = /\n\d+ (\d+)$/.exec(text)!;
    expect(Number(sentBytes)).toBeLessThan(20_000_000);
  });

  it('ends before it closes, so that who is still sending does not lose the answer', async () => {
    const socket = connect({ port: service.port, host: '127.0.0.1', allowHalfOpen: true });
    const errors: unknown[] = [];
    let text = '';
    socket.on('error', (error) => errors.push(error));
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    const length = { 'Content-Length': '50000000' };
    socket.write(formatRequest('/api/stream/song', { ...headers, ...length }));
    // the answer comes during the first of these, and is over before any of them meets with an error
    const piece = Buffer.alloc(65_536);
    const isOver = (): boolean => socket.readableEnded || errors.length > 0;
    await until(() => {
      if (!isOver() && !socket.writableNeedDrain) socket.write(piece);
      return isOver();
    }, 'the answer has ended');
    expect(errors).toEqual([]);
    expect(socket.readableEnded).toBe(true);
    expectRefusal(text, 413, 'content_too_large');
    socket.destroy();
  });

  async function exchange(request: string): Promise<string> {
    const connection = await openRaw(service.port, request);
    return connection.untilClosed();
  }
});

interface Summary {
  readonly status: number;
  readonly code: unknown;
  readonly hasDate: boolean;
  readonly closes: boolean;
  readonly answers: number;
}

function summarize(text: string): Summary {
  const content = /\r\n\r\n(\{[^]*\})$/.exec(text)?.[1];
  const error = content === undefined ? undefined : (JSON.parse(content) as { code: string });
  return {
    status: Number(/^HTTP\/1\.1 (\d+) /.exec(text)?.[1]),
    code: error?.code,
    hasDate: /\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n/.test(text),
    closes: text.includes('\r\nConnection: close\r\n'),
    answers: text.split('HTTP/1.1 ').length - 1,
  };
}

function expectRefusal(text: string, status: number, code: string): void {
  expect(summarize(text)).toEqual({ status, code, hasDate: true, closes: true, answers: 1 });
}
