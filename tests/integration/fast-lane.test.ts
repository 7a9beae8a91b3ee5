import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRequestListener } from '../../src/app';
import { startLanePair, type LanePair } from '../support/lane-pair';
import { patternedBytes } from '../support/patterned-bytes';
import { type RawRequest } from '../support/raw-answers';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const LENGTH = 300_000;
const MODIFIED_AT = new Date('2024-03-01T12:00:00.250Z');
const LAST_MODIFIED = 'Fri, 01 Mar 2024 12:00:00 GMT';
const BEFORE = 'Fri, 01 Mar 2024 11:59:59 GMT';
const AFTER = 'Fri, 01 Mar 2024 12:00:01 GMT';
const ETAG = `"${LENGTH.toString(36)}-${(BigInt(MODIFIED_AT.getTime()) * 1_000_000n).toString(36)}"`;
const SONG = '/api/stream/song';
const NESTED = `/api/stream/${encodeURIComponent('Artist/Album/01 Song')}`;
const UNICODE = `/api/stream/${encodeURIComponent('Музыка/Песня № 1')}`;
const PLAYER = 'https://player.example.com';

const authorization = bearer();
const TOKEN = authorization.slice('Bearer '.length);
const stranger = bearer();

/** What most requests say. */
const USUAL: readonly string[] = ['Host: localhost', `Authorization: ${authorization}`];

/** A request for a track by whoever was admitted to it. */
function ask(
  target: string,
  fields: readonly string[] = [],
  rest: Partial<RawRequest> = {},
): RawRequest {
  return { target, fields: [...USUAL, ...fields], ...rest };
}

/** The same with other fields than the usual. */
function askWith(fields: readonly string[], rest: Partial<RawRequest> = {}): RawRequest {
  return { target: SONG, fields, ...rest };
}

type Row = readonly [name: string, status: number, request: RawRequest];

/** Answered in the lane. */
const PLAIN: readonly Row[] = [
  ['the whole track', 200, ask(SONG)],
  ['a nested id', 200, ask(NESTED)],
  ['a unicode id', 206, ask(UNICODE, ['Range: bytes=5-9'])],
  ['an id that need not have been encoded', 206, ask('/api/stream/s%6Fng', ['Range: bytes=0-9'])],

  ['the first byte', 206, ask(SONG, ['Range: bytes=0-0'])],
  ['the last byte', 206, ask(SONG, [`Range: bytes=${LENGTH - 1}-${LENGTH - 1}`])],
  ['64 KiB', 206, ask(SONG, ['Range: bytes=65536-131071'])],
  ['a range across two blocks', 206, ask(SONG, ['Range: bytes=200000-290000'])],
  ['the largest range of one read', 206, ask(SONG, ['Range: bytes=1-131072'])],
  ['a range that takes a stream', 206, ask(SONG, ['Range: bytes=1-131073'])],
  ['a range beyond the end', 206, ask(SONG, ['Range: bytes=299990-999999999'])],
  ['an open-ended range', 206, ask(SONG, ['Range: bytes=299000-'])],
  ['a suffix', 206, ask(SONG, ['Range: bytes=-500'])],
  ['a suffix longer than the track', 206, ask(SONG, ['Range: bytes=-900000'])],
  ['several ranges', 206, ask(SONG, ['Range: bytes=0-9,1000-1009,-10'])],
  ['several ranges that become one', 206, ask(SONG, ['Range: bytes=0-9,5-20'])],
  ['several ranges, one of which exists', 206, ask(SONG, ['Range: bytes=0-9,900000-'])],
  ['overlapping ranges of more than all', 200, ask(SONG, ['Range: bytes=0-,0-,0-'])],
  ['two Range lines', 200, ask(SONG, ['Range: bytes=0-1', 'Range: bytes=5-6'])],
  ['an upper-case unit', 206, ask(SONG, ['Range: BYTES=3-4'])],
  ['an unknown unit', 200, ask(SONG, ['Range: seconds=3-4'])],
  ['a range backwards', 200, ask(SONG, ['Range: bytes=9-3'])],
  ['a range that is none', 200, ask(SONG, ['Range: bytes=a-b'])],
  ['a position of many digits', 206, ask(SONG, [`Range: bytes=0-${'9'.repeat(40)}`])],

  ['If-Range with the tag', 206, ask(SONG, ['Range: bytes=0-9', `If-Range: ${ETAG}`])],
  ['If-Range with another', 200, ask(SONG, ['Range: bytes=0-9', 'If-Range: "x"'])],
  ['If-Range with a weak tag', 200, ask(SONG, ['Range: bytes=0-9', `If-Range: W/${ETAG}`])],
  ['If-Range with the date', 206, ask(SONG, ['Range: bytes=0-9', `If-Range: ${LAST_MODIFIED}`])],
  ['If-Range with another date', 200, ask(SONG, ['Range: bytes=0-9', `If-Range: ${AFTER}`])],
  ['If-None-Match with the tag', 304, ask(SONG, [`If-None-Match: ${ETAG}`])],
  ['If-None-Match with a weak tag', 304, ask(SONG, [`If-None-Match: W/${ETAG}`])],
  ['If-None-Match with a list', 304, ask(SONG, [`If-None-Match: "a", ${ETAG}`])],
  ['If-None-Match on two lines', 304, ask(SONG, ['If-None-Match: "a"', `If-None-Match: ${ETAG}`])],
  ['If-None-Match: *', 304, ask(SONG, ['If-None-Match: *'])],
  ['If-None-Match with another', 200, ask(SONG, ['If-None-Match: "x"'])],
  ['If-None-Match and Range', 304, ask(SONG, [`If-None-Match: ${ETAG}`, 'Range: bytes=0-1'])],
  ['If-Match with the tag', 206, ask(SONG, [`If-Match: ${ETAG}`, 'Range: bytes=0-1'])],
  ['If-Modified-Since, not since', 304, ask(SONG, [`If-Modified-Since: ${LAST_MODIFIED}`])],
  ['If-Modified-Since, since', 200, ask(SONG, [`If-Modified-Since: ${BEFORE}`])],
  ['If-Modified-Since with rubbish', 200, ask(SONG, ['If-Modified-Since: yesterday'])],
  [
    'If-Modified-Since on two lines',
    200,
    ask(SONG, [`If-Modified-Since: ${AFTER}`, `If-Modified-Since: ${AFTER}`]),
  ],
  ['If-Unmodified-Since, not since', 200, ask(SONG, [`If-Unmodified-Since: ${LAST_MODIFIED}`])],

  ['an origin', 206, ask(SONG, [`Origin: ${PLAYER}`, 'Range: bytes=0-1'])],
  ['an origin and a 304', 304, ask(SONG, [`Origin: ${PLAYER}`, 'If-None-Match: *'])],
  ['another origin', 206, ask(SONG, ['Origin: https://evil.example', 'Range: bytes=0-1'])],
  [
    'an origin in upper case',
    206,
    ask(SONG, [`Origin: ${PLAYER.toUpperCase()}`, 'Range: bytes=0-1']),
  ],
  ['the origin null', 206, ask(SONG, ['Origin: null', 'Range: bytes=0-1'])],
  ['an empty origin', 206, ask(SONG, ['Origin: ', 'Range: bytes=0-1'])],
  ['two origins', 206, ask(SONG, [`Origin: ${PLAYER}`, `Origin: ${PLAYER}`, 'Range: bytes=0-1'])],

  ['a request id', 206, ask(SONG, ['X-Request-Id: abc-1:2.3_4', 'Range: bytes=0-1'])],
  [
    'a request id too long',
    206,
    ask(SONG, [`X-Request-Id: ${'x'.repeat(65)}`, 'Range: bytes=0-1']),
  ],
  ['a request id with a quote', 206, ask(SONG, ['X-Request-Id: a"b', 'Range: bytes=0-1'])],
  ['an empty request id', 206, ask(SONG, ['X-Request-Id: ', 'Range: bytes=0-1'])],
  ['two request ids', 206, ask(SONG, ['X-Request-Id: a', 'X-Request-Id: b', 'Range: bytes=0-1'])],

  [
    'field names in lower case',
    206,
    askWith(['host: localhost', `authorization: ${authorization}`, 'range: bytes=0-1']),
  ],
  ['an empty Host', 200, askWith(['Host: ', `Authorization: ${authorization}`])],
  ['a Host with a port', 200, askWith(['Host: [::1]:80', `Authorization: ${authorization}`])],
  ['Content-Length: 0', 206, ask(SONG, ['Content-Length: 0', 'Range: bytes=0-1'])],
  ['Expect without content', 206, ask(SONG, ['Expect: 100-continue', 'Range: bytes=0-1'])],
  ['an unknown expectation', 206, ask(SONG, ['Expect: more', 'Range: bytes=0-1'])],
  ['Upgrade', 206, ask(SONG, ['Connection: Upgrade', 'Upgrade: websocket', 'Range: bytes=0-1'])],
  ['Connection: close', 206, ask(SONG, ['Connection: close', 'Range: bytes=0-1'])],
  ['Connection: close, and a stream', 200, ask(SONG, ['Connection: close'])],
  ['Connection: close, and a 304', 304, ask(SONG, ['Connection: close', 'If-None-Match: *'])],
  ['HTTP/1.0', 206, ask(SONG, ['Range: bytes=0-1'], { version: 'HTTP/1.0' })],
  [
    'HTTP/1.0 without Host',
    200,
    askWith([`Authorization: ${authorization}`], { version: 'HTTP/1.0' }),
  ],
  [
    'HTTP/1.0 that keeps alive',
    206,
    ask(SONG, ['Connection: keep-alive', 'Range: bytes=0-1'], { version: 'HTTP/1.0' }),
  ],
];

/** Handed on to the app. */
const OTHERS: readonly Row[] = [
  ['HEAD', 200, ask(SONG, [], { method: 'HEAD' })],
  ['HEAD and Range', 200, ask(SONG, ['Range: bytes=0-1'], { method: 'HEAD' })],
  ['HEAD of an unknown track', 404, ask('/api/stream/no', [], { method: 'HEAD' })],
  ['OPTIONS', 204, ask(SONG, [`Origin: ${PLAYER}`], { method: 'OPTIONS' })],
  ['POST', 405, ask(SONG, [], { method: 'POST' })],
  ['an unsatisfiable range', 416, ask(SONG, [`Range: bytes=${LENGTH}-`])],
  ['an unsatisfiable range of an origin', 416, ask(SONG, ['Range: bytes=-0', `Origin: ${PLAYER}`])],
  ['If-Match with another tag', 412, ask(SONG, ['If-Match: "x"'])],
  ['If-Unmodified-Since, since', 412, ask(SONG, [`If-Unmodified-Since: ${BEFORE}`])],
  ['a query', 206, ask(`${SONG}?start=5`, ['Range: bytes=0-1'])],
  ['an empty query', 200, ask(`${SONG}?`)],
  ['a second token in the query', 400, ask(`${SONG}?access_token=${TOKEN}`)],
  ['a fragment', 200, ask(`${SONG}#part`)],
  ['an absolute address', 200, ask(`http://localhost${SONG}`)],
  ['a slash behind', 200, ask(`${SONG}/`)],
  ['an upper-case path', 404, ask('/API/stream/song')],
  ['two slashes', 404, ask('/api//stream/song')],
  ['metadata below', 404, ask('/api/stream/no/metadata')],
  ['an unknown track', 404, ask('/api/stream/no')],
  ['an id encoded twice', 404, ask('/api/stream/Artist%252FAlbum%252F01%20Song')],
  ['an id with a zero', 404, ask('/api/stream/song%00')],
  ['an id that climbs', 404, ask('/api/stream/..%2Fsong')],
  ['half a percent-encoding', 400, ask('/api/stream/song%2')],
  ['a percent-encoding of no UTF-8', 400, ask('/api/stream/%E0%A4%A')],
  ['no credentials', 401, askWith(['Host: localhost', `Origin: ${PLAYER}`])],
  ['another scheme', 401, askWith(['Host: localhost', 'Authorization: Basic YTpi'])],
  [
    'a token nobody has signed',
    401,
    askWith(['Host: localhost', `Authorization: ${authorization}x`]),
  ],
  [
    'a lower-case scheme',
    206,
    askWith(['Host: localhost', `Authorization: bearer ${TOKEN}`, 'Range: bytes=0-1']),
  ],
  [
    'two blanks in the credentials',
    206,
    askWith(['Host: localhost', `Authorization: Bearer  ${TOKEN}`, 'Range: bytes=0-1']),
  ],
  ['two Authorization lines', 400, ask(SONG, [`Authorization: ${authorization}`])],
  [
    'two credentials on a line',
    400,
    askWith(['Host: localhost', `Authorization: ${authorization}, Bearer x`]),
  ],
  [
    'somebody who was not here before',
    200,
    askWith(['Host: localhost', `Authorization: ${stranger}`]),
  ],
  ['two Host lines', 400, ask(SONG, ['Host: localhost'])],
  ['no Host', 400, askWith([`Authorization: ${authorization}`])],
  ['a Host that is none', 400, askWith(['Host: a b', `Authorization: ${authorization}`])],
  ['content', 413, ask(SONG, ['Content-Length: 5'], { content: 'hello' })],
  ['content that is announced', 413, ask(SONG, ['Content-Length: 5', 'Expect: 100-continue'])],
  [
    'encoded content',
    415,
    ask(SONG, ['Content-Length: 5', 'Content-Encoding: gzip'], { content: 'hello' }),
  ],
  ['chunked content', 413, ask(SONG, ['Transfer-Encoding: chunked'], { content: '0\r\n\r\n' })],
  ['content of no length', 400, ask(SONG, ['Transfer-Encoding: gzip'])],
];

/** Refused by Node's parser already. */
const RUBBISH: readonly Row[] = [
  ['bytes that are not encoded', 400, ask('/api/stream/\xd0\x9f')],
  ['two lengths of content', 400, ask(SONG, ['Content-Length: 0', 'Transfer-Encoding: chunked'])],
  ['a field that is none', 400, ask(SONG, ['no field'])],
];

let root: string;
const pairs = new Map<string, LanePair>();

beforeAll(async () => {
  root = createTempFolder();
  const library = [
    ['song.mp3', LENGTH],
    ['Artist/Album/01 Song.flac', 70_000],
    ['Музыка/Песня № 1.opus', 1_000],
  ] as const;
  for (const [name, length] of library) {
    const path = join(root, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, patternedBytes(length));
    utimesSync(path, MODIFIED_AT, MODIFIED_AT);
  }
  const env = { AUDIO_FILES_DIR: root };
  pairs.set('*', await startLanePair({ ...env, CORS_ORIGIN: '*' }));
  pairs.set('list', await startLanePair({ ...env, CORS_ORIGIN: `${PLAYER},https://b.example` }));
  for (const pair of pairs.values()) await open(pair);
});

afterAll(async () => {
  for (const pair of pairs.values()) await pair.close();
  removeTempFolders();
});

/** The subject opens each track, and goes on with it once: from then on the lane knows all it needs. */
async function open(pair: LanePair): Promise<void> {
  for (const target of [SONG, SONG, NESTED, UNICODE]) {
    const { lane, alone } = await pair.compare([ask(target)]);
    expect(lane).toEqual(alone);
  }
}

function statusesOf(answers: readonly { readonly statusLine: string }[]): number[] {
  return answers.map(({ statusLine }) => Number(statusLine.split(' ')[1]));
}

describe.each(['*', 'list'])('the lane and the app alone, CORS_ORIGIN %s', (origins) => {
  it.each(PLAIN)('say the same to %s: %d, without the app', async (_name, status, request) => {
    const { lane, alone, answers, passed } = await pairs.get(origins)!.compare([request]);
    expect(lane).toEqual(alone);
    expect(statusesOf(answers)).toEqual([status]);
    expect(answers[0]!.isWhole).toBe(true);
    expect(passed).toBe(0);
  });

  it.each(OTHERS)('say the same to %s: %d, by the app', async (_name, status, request) => {
    const { lane, alone, answers, passed } = await pairs.get(origins)!.compare([request]);
    expect(lane).toEqual(alone);
    expect(statusesOf(answers)).toEqual([status]);
    expect(passed).toBe(1);
  });
});

describe('the lane', () => {
  it.each(RUBBISH)('is never asked for %s: %d', async (_name, status, request) => {
    const { lane, alone, answers, passed } = await pairs
      .get('*')!
      .compare([request], { logLines: 0 });
    expect(lane).toEqual(alone);
    expect(statusesOf(answers)).toEqual([status]);
    expect(passed).toBe(0);
  });

  const range = (value: string): string[] => [`Range: ${value}`];

  it.each<readonly [string, readonly RawRequest[], readonly number[], number]>([
    [
      'plain ones',
      [
        ask(SONG, range('bytes=0-9')),
        ask(SONG),
        ask(SONG, ['If-None-Match: *']),
        ask(NESTED, range('bytes=-5')),
        ask(SONG, range('bytes=100000-160000')),
      ],
      [206, 200, 304, 206, 206],
      0,
    ],
    [
      'plain ones between others',
      [
        ask(SONG, range('bytes=0-9')),
        ask(SONG, range('bytes=999999999-')),
        ask(SONG, [], { method: 'HEAD' }),
        ask(SONG),
        ask('/api/stream/no'),
        ask(UNICODE, range('bytes=1-3')),
      ],
      [206, 416, 200, 200, 404, 206],
      3,
    ],
    [
      'one that closes',
      [ask(SONG, range('bytes=0-9')), ask(SONG, ['Connection: close']), ask(SONG)],
      [206, 200],
      0,
    ],
    [
      'one in front of rubbish',
      [ask(UNICODE), { target: '/', version: 'no version' }],
      [200, 400],
      0,
    ],
  ])('answers pipelined requests in turn: %s', async (_name, requests, statuses, others) => {
    const { lane, alone, answers, passed } = await pairs.get('*')!.compare(requests, {
      logLines: statuses.filter((status) => status !== 400).length,
      isCountedInTurn: false,
    });
    expect(lane).toEqual(alone);
    expect(statusesOf(answers)).toEqual(statuses);
    expect(passed).toBe(others);
  });

  it('says the same of the quota afterwards: both have counted the same', async () => {
    const { lane, alone } = await pairs.get('*')!.compare([ask(SONG, range('bytes=0-1'))]);
    expect(lane).toEqual(alone);
  });

  it('sends the bytes of the file', async () => {
    const { answers } = await pairs.get('*')!.compare([ask(SONG, range('bytes=250000-270000'))]);
    expect(answers[0]!.content.equals(patternedBytes(20_001, 250_000))).toBe(true);
  });

  it('is where FAST_LANE says so, and only there', () => {
    const { container } = pairs.get('*')!.lane;
    const isExpress = (fastLane: boolean): boolean =>
      'use' in createRequestListener({ ...container, config: { ...container.config, fastLane } });
    expect(isExpress(true)).toBe(false);
    expect(isExpress(false)).toBe(true);
  });
});
