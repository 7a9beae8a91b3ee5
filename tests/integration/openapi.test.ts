import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { sign } from 'jsonwebtoken';
import { createRequestListener } from '../../src/app';
import { type Container } from '../../src/container';
import { AppError, type ErrorCode } from '../../src/errors';
import { STATUS_BY_CODE } from '../../src/middleware/error-handler';
import { OPERATIONS } from '../../src/openapi/document';
import { GENERAL_ERRORS, type Operation } from '../../src/openapi/operation';
import { type Productions } from '../../src/services/productions';
import { type TagReader } from '../../src/adapters/tag-reader';
import { type OpenedTrack } from '../../src/storage/track-store';
import { API, findMismatches } from '../support/api-check';
import { startApp, type TestApp } from '../support/build-app';
import { createHeldFfmpeg } from '../support/held-ffmpeg';
import { MemoryStore } from '../support/memory-storage';
import { bearer, uniqueSubject } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

/**
 * Provokes every status and every code of every operation. Which answers are right is decided where
 * all answers of the integration tests are checked, in tests/support/build-app.ts; here it is seen that
 * each documented one exists.
 */
const TRACK = 'Glass Harbour/Night Ferry/01 Leaving Port';
const ENCODED = encodeURIComponent(TRACK);
const PROGRESS = { positionSeconds: 5.5, state: 'playing' };
const NOBODYS_ID = 'AAECAwQFBgcICQoLDA0ODw';
const SAMPLES = join(__dirname, '../../samples');
const EXAMPLES_FILE = join(__dirname, '../../src/openapi/examples.json');
/** Of files that were not made this minute: entity tags and dates stay the same. */
const MODIFIED_AT = new Date('2026-01-01T00:00:00Z');

interface Sent {
  readonly status: number;
  readonly fields: Readonly<Record<string, string | string[] | undefined>>;
  readonly content: Buffer;
}

interface Wanted {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly content?: string;
}

/** What an operation is asked with when nothing is to go wrong, before a provocation changes it. */
interface Case extends Wanted {
  readonly subject: string;
  readonly operation: Operation;
}

type Provocation = (given: Case) => Promise<Sent>;

const held = createHeldFfmpeg({ firstBytes: 1_000 });
const library = createTempFolder();
let app: TestApp;
/** with one thing wrong each */
let apps: Readonly<
  Record<
    'limited' | 'scoped' | 'keyless' | 'bare' | 'homeless' | 'failing' | 'busy' | 'late',
    TestApp
  >
>;

beforeAll(async () => {
  copySamples();
  const env = {
    AUDIO_FILES_DIR: library,
    RATE_LIMIT_MAX: '100000',
    FFMPEG_PATH: held.path,
    MAX_PLAYBACKS_PER_SUBJECT: '2',
  };
  const start = (...[own, ...rest]: Parameters<typeof startApp>): Promise<TestApp> =>
    startApp({ ...env, CACHE_DIR: createTempFolder(), ...own }, ...rest);
  app = await start({});
  app.container.catalogue.start();
  await until(() => app.container.catalogue.state().isComplete, 'the library is listed');
  const failing = new MemoryStore();
  failing.open = () => Promise.reject(new AppError('track_unavailable', 'Cannot be read now'));
  apps = {
    limited: await start({ RATE_LIMIT_MAX: '1', RATE_LIMIT_SEEK_MAX: '1' }),
    scoped: await start({ JWT_REQUIRED_SCOPE: 'stream:read' }),
    // nobody listens on port 1
    keyless: await start({
      JWT_SECRET: '',
      JWKS_URL: 'http://127.0.0.1:1/keys',
      PLAYBACK_SECRET: 'p'.repeat(32),
    }),
    bare: await start({ FFMPEG_PATH: '/nonexistent' }),
    homeless: await start({ AUDIO_FILES_DIR: '/nonexistent/library' }),
    failing: await start({}, { store: failing }),
    busy: await start({ REDIS_URL: '' }, { tagReader: busyReader() }, refusing('overloaded')),
    late: await start({}, {}, refusing('not_ready_yet')),
  };
  apps.homeless.container.catalogue.start();
  await until(
    () => apps.homeless.container.catalogue.state().library === 'unavailable',
    'the library is missed',
  );
}, 60_000);

afterEach(() => {
  held.release();
});

afterAll(async () => {
  await Promise.all([app, ...Object.values(apps)].map((one) => one.close()));
  removeTempFolders();
});

function copySamples(): void {
  cpSync(SAMPLES, library, { recursive: true, filter: (path) => !/\.(?:ts|json|md)$/.test(path) });
  writeFileSync(join(library, 'broken.mp3'), 'this is no sound'.repeat(100));
  mkdirSync(join(library, 'damaged'));
  cpSync(join(SAMPLES, 'Small Bell.wav'), join(library, 'damaged/track.wav'));
  writeFileSync(join(library, 'damaged/cover.jpg'), Buffer.from('ffd8ffe000104a464946', 'hex'));
  for (const path of readdirSync(library, { recursive: true, encoding: 'utf8' })) {
    utimesSync(join(library, path), MODIFIED_AT, MODIFIED_AT);
  }
}

/** As when more wait than may. */
function busyReader(): TagReader {
  const refuse = (): Promise<never> =>
    Promise.reject(new AppError('overloaded', 'Too many tracks wait to be read'));
  const close = (): Promise<void> => Promise.resolve();
  return { read: refuse, readBehind: refuse, readPicture: refuse, close };
}

/** The app, where nothing can be made of tracks for this reason. */
function refusing(code: ErrorCode): (container: Container) => RequestListener {
  return (container) => {
    const open = (): Promise<never> => Promise.reject(new AppError(code, 'Try again in a moment'));
    const refuse = (productions: Productions): Productions => ({ ...productions, open });
    const { media, catalogue } = container;
    return createRequestListener({
      ...container,
      catalogue: { ...catalogue, list: open },
      media: {
        ...media,
        productions: refuse(media.productions),
        pictureProductions: refuse(media.pictureProductions),
      },
    });
  };
}

async function ask({ port }: TestApp, wanted: Wanted): Promise<Sent> {
  const { method, path, headers, content = '' } = wanted;
  const length = content === '' ? {} : { 'content-length': String(content.length) };
  const req = httpRequest({
    ...{ host: '127.0.0.1', port, method, path, agent: false },
    headers: { ...length, ...headers },
  });
  req.end(content);
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  return { status: res.statusCode ?? 0, fields: res.headers, content: await buffer(res) };
}

/** A path of the document, with an example of each of its parts. */
async function createCase(operation: Operation, method: string): Promise<Case> {
  const subject = uniqueSubject();
  const headers: Record<string, string> =
    operation.security.length === 0 ? {} : { authorization: bearer({ sub: subject }) };
  let { path } = operation;
  if (path.includes('{segment}')) {
    const list = await ask(app, {
      method: 'GET',
      path: `/api/stream/${ENCODED}/hls/128k/index.m3u8`,
      headers,
    });
    const [, init = ''] = /URI="([^"]+)"/.exec(list.content.toString()) ?? [];
    path = path.replace(
      '{variant}/{validator}/{segment}',
      `128k/${init.replace('init.mp4', '0.m4s')}`,
    );
  }
  const known = {
    trackId: ENCODED,
    variant: '128k',
    asset: `${operation.id === 'getPlayerAsset' ? 'player' : 'docs'}.css`,
    id: NOBODYS_ID,
  };
  for (const [name, value] of Object.entries(known)) path = path.replace(`{${name}}`, value);
  if (operation.path.includes('{id}')) {
    path = path.replace(NOBODYS_ID, (await begin(app, headers)).id);
  }
  const content = operation.request === undefined ? {} : { content: JSON.stringify(PROGRESS) };
  if (operation.request) headers['content-type'] = 'application/json';
  return { method, path, headers, subject, operation, ...content };
}

async function begin(
  where: TestApp,
  headers: Wanted['headers'],
): Promise<{ readonly id: string; readonly grant: string }> {
  const path = `/api/stream/${ENCODED}/playback?takeover=true`;
  const { content } = await ask(where, { method: 'POST', path, headers });
  const { data } = JSON.parse(content.toString()) as { data: { id: string; url: string } };
  return { id: data.id, grant: new URL(data.url, 'http://host').searchParams.get('grant') ?? '' };
}

function withField(given: Case, name: string, value: string): Case {
  return { ...given, headers: { ...given.headers, [name]: value } };
}

function withQuery(given: Case, query: string): Case {
  return { ...given, path: `${given.path}${given.path.includes('?') ? '&' : '?'}${query}` };
}

function ofTrack(given: Case, encodedId: string): Case {
  return { ...given, path: given.path.replace(ENCODED, encodedId) };
}

/** A form that nobody has asked for before. */
let forms = 0;
function asTranscode(given: Case, format = 'mp3'): Case {
  forms += 1;
  return withQuery(given, `format=${format}&start=0.${String(forms).padStart(3, '0')}`);
}

const CONVERTING = ['getTrack', 'prepareTrack'];

/** Where ffmpeg, or sharp, has to do something. */
function asMade(given: Case): Case {
  const { id } = given.operation;
  if (CONVERTING.includes(id)) return asTranscode(given);
  return id === 'getArtwork' ? withQuery(given, 'size=100') : given;
}

function without(given: Case, name: string): Case {
  const kept = Object.entries(given.headers).filter(([other]) => other !== name);
  return { ...given, headers: Object.fromEntries(kept) };
}

/** How to come to a code, at any operation that has it. */
const BY_CODE: Partial<Record<ErrorCode, Provocation>> = {
  bad_request: (given) =>
    ask(
      app,
      given.operation.id === 'listTracks' ? withQuery(given, 'limit=0') : ofTrack(given, '%ff'),
    ),
  invalid_request: (given) => ask(app, withQuery(given, 'access_token=x')),
  unauthorized: (given) => ask(app, without(given, 'authorization')),
  invalid_token: (given) => ask(app, withField(given, 'authorization', 'Bearer nonsense')),
  insufficient_scope: (given) => ask(apps.scoped, given),
  keys_unavailable: (given) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const claims = { sub: 'somebody', exp: Math.floor(Date.now() / 1000) + 60 };
    const token = sign(claims, privateKey, { algorithm: 'ES256', keyid: 'some-key' });
    return ask(apps.keyless, withField(given, 'authorization', `Bearer ${token}`));
  },
  invalid_grant: (given) => ask(app, withQuery(without(given, 'authorization'), 'grant=nonsense')),
  grant_ended: async (given) => {
    const { id, grant } = await begin(app, given.headers);
    const path = `/api/stream/${ENCODED}/playback/${id}`;
    await ask(app, { method: 'DELETE', path, headers: given.headers });
    const own = given.path.replace(/playback\/[\w-]{22}/, `playback/${id}`);
    return ask(app, withQuery(without({ ...given, path: own }, 'authorization'), `grant=${grant}`));
  },
  not_found: (given) =>
    ask(app, {
      ...given,
      path: given.path.replace('/128k/', '/1k/').replace(/\w+\.css$/, 'nothing'),
    }),
  track_not_found: (given) => ask(app, ofTrack(given, 'nothing')),
  artwork_not_found: (given) => ask(app, ofTrack(given, 'Small%20Bell')),
  playback_not_found: (given) =>
    ask(app, {
      ...given,
      path: given.path.replace(/playback\/[\w-]{22}/, `playback/${NOBODYS_ID}`),
    }),
  too_many_playbacks: async (given) => {
    for (let i = 0; i < 2; i += 1) await ask(app, given);
    return ask(app, given);
  },
  precondition_failed: (given) => ask(app, withField(given, 'if-match', '"other"')),
  content_too_large: (given) => ask(app, { ...given, content: 'x'.repeat(2_000) }),
  unsupported_media_type: (given) =>
    ask(app, withField({ ...given, content: 'x' }, 'content-encoding', 'gzip')),
  range_not_satisfiable: (given) => ask(app, withField(given, 'range', 'bytes=99999999-')),
  track_undecodable: (given) =>
    ask(
      app,
      asMade(ofTrack(given, given.operation.id === 'getArtwork' ? 'damaged%2Ftrack' : 'broken')),
    ),
  rate_limited: async (given) => {
    let sent = await ask(apps.limited, given);
    for (let i = 0; i < 4 && sent.status !== 429; i += 1) sent = await ask(apps.limited, given);
    return sent;
  },
  ffmpeg_unavailable: (given) => ask(apps.bare, asMade(given)),
  library_unavailable: (given) => ask(apps.homeless, given),
  track_unavailable: (given) => ask(apps.failing, given),
  overloaded: (given) => ask(apps.busy, asMade(given)),
  not_ready_yet: (given) => ask(apps.late, asTranscode(given)),
};

/** How to come to an answer that is none of an error. */
const BY_STATUS: Readonly<Record<number, Provocation>> = {
  200: (given) => ask(app, given),
  201: (given) => ask(app, given),
  204: (given) => ask(app, given),
  206: (given) => ask(app, withField(given, 'range', 'bytes=0-1')),
  304: (given) => ask(app, withField(given, 'if-none-match', '*')),
};

const BY_OPERATION: Readonly<Record<string, Readonly<Record<string, Provocation>>>> = {
  listTracks: { 200: (given) => ask(app, withQuery(given, 'limit=1')) },
  getReadiness: { 503: (given) => ask(apps.homeless, given) },
  getWaveform: { 200: (given) => ask(app, withQuery(given, 'points=16')) },
  getArtwork: { 200: (given) => ask(app, given) },
  prepareTrack: {
    200: async (given) => {
      const wanted = asTranscode(given);
      let sent = await ask(app, wanted);
      for (let i = 0; i < 100 && sent.status !== 200; i += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        sent = await ask(app, wanted);
      }
      return sent;
    },
    202: (given) => {
      held.hold();
      return ask(app, asTranscode(given));
    },
  },
};

/** Answers that the document shows, by operation and what they are. */
const EXAMPLES: Readonly<Record<string, string>> = {
  'getMetadata 200': 'metadata',
  'listTracks 200': 'catalogue',
  'prepareTrack 200': 'ready',
  'prepareTrack 202': 'preparing',
  'getWaveform 200': 'waveform',
  'getLoudness 200': 'loudness',
  'beginPlayback 201': 'playback',
  'extendPlayback 200': 'extension',
  'reportProgress 200': 'progressNoted',
  'getHealth 200': 'health',
  'getReadiness 200': 'readiness',
  'getReadiness 503': 'notReady',
};

const recorded = {
  answers: { progress: PROGRESS } as Record<string, unknown>,
  errors: {} as Record<string, unknown>,
  fields: {} as Record<string, string>,
};

const rows = OPERATIONS.flatMap((operation) => {
  const answers = Object.keys(operation.answers);
  const keys = [...answers, ...operation.errors];
  const never: readonly string[] = [
    '206',
    'range_not_satisfiable',
    ...(operation.neverOfHead ?? []),
  ];
  const ofHead = operation.method === 'get' ? keys.filter((key) => !never.includes(key)) : [];
  return [
    ...keys.map((key) => [operation.method.toUpperCase(), operation.path, key, operation] as const),
    ...ofHead.map((key) => ['HEAD', operation.path, key, operation] as const),
  ];
});

/** `GET /health 200`, as far as it was met. */
const met = new Set<string>();

describe('every operation', () => {
  it.each(rows)('%s %s: %s', async (method, path, key, operation) => {
    const provoke =
      BY_OPERATION[operation.id]?.[key] ?? BY_CODE[key as ErrorCode] ?? BY_STATUS[Number(key)];
    expect(provoke).toBeDefined();
    const sent = await provoke!(await createCase(operation, method));
    const code = key in STATUS_BY_CODE ? (key as ErrorCode) : undefined;
    expect([sent.status, method === 'HEAD' ? code : codeOf(sent)]).toEqual([
      code === undefined ? Number(key) : STATUS_BY_CODE[code],
      code,
    ]);
    met.add(`${method} ${path} ${sent.status}`);
    if (method !== 'HEAD') record(sent, `${operation.id} ${key}`, code);
  });

  it.each(Object.keys(API.paths))('OPTIONS %s', async (path) => {
    const sent = await ask(app, {
      method: 'OPTIONS',
      path: path.replace(/\{\w+\}/g, 'x'),
      headers: {},
    });
    expect(sent.status).toBe(204);
    met.add(`OPTIONS ${path} 204`);
  });

  it('has no documented status that was not met', () => {
    const documented = Object.entries(API.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { responses }]) =>
        Object.keys(responses)
          .filter((status) => status !== 'default')
          .map((status) => `${method.toUpperCase()} ${path} ${status}`),
      ),
    );
    expect(documented.filter((one) => !met.has(one))).toEqual([]);
  });
});

const HEAD_OF_REQUEST = 'GET /health HTTP/1.1\r\nHost: a\r\n';

/** What can go wrong at any address, as bytes on a connection. */
const GENERAL: Readonly<Record<(typeof GENERAL_ERRORS)[number], string>> = {
  bad_request: 'nonsense\r\n\r\n',
  not_found: 'GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  method_not_allowed: 'DELETE /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  request_timeout: HEAD_OF_REQUEST,
  uri_too_long: `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  header_fields_too_large: `${HEAD_OF_REQUEST}X-A: ${'a'.repeat(20_000)}\r\n\r\n`,
  internal_error: 'GET /api/stream/bug HTTP/1.1\r\nHost: a\r\nConnection: close\r\n',
  not_implemented: 'BREW /health HTTP/1.1\r\nHost: a\r\n\r\n',
  version_not_supported: 'GET /health HTTP/2.0\r\nHost: a\r\n\r\n',
};

describe('any address', () => {
  it.each(GENERAL_ERRORS)(
    'answers %s as documented',
    async (code) => {
      const store = new MemoryStore();
      store.open = (): Promise<OpenedTrack> => Promise.reject(new Error('a bug'));
      const buggy = await startApp({}, { store });
      const authorization = code === 'internal_error' ? `Authorization: ${bearer()}\r\n\r\n` : '';
      const socket = connect(buggy.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(GENERAL[code] + authorization);
      const answer = parseAnswer(await text(socket));
      await buggy.close();
      expect(findMismatches(answer)).toEqual([]);
      expect([answer.status, codeOf(answer)]).toEqual([STATUS_BY_CODE[code], code]);
      recorded.errors[code] ??= JSON.parse(answer.content.toString());
    },
    60_000,
  );
});

function parseAnswer(raw: string) {
  const [head = '', content = ''] = raw.split('\r\n\r\n', 2);
  const [line = '', ...fields] = head.split('\r\n');
  return {
    ...{ method: 'GET', target: '/health', status: Number(line.split(' ')[1]) },
    fields: new Map(
      fields.map((field) => [field.split(':')[0]!.toLowerCase(), field.replace(/^[^:]*: ?/, '')]),
    ),
    content: Buffer.from(content),
  };
}

describe('the examples', () => {
  it('are what the service answers about the samples', () => {
    if (process.env.UPDATE_EXAMPLES) {
      writeFileSync(EXAMPLES_FILE, `${JSON.stringify(recorded, null, 2)}\n`);
      return;
    }
    const shown = JSON.parse(readFileSync(EXAMPLES_FILE, 'utf8')) as unknown;
    expect(withoutChance(recorded)).toEqual(withoutChance(shown));
  });
});

function codeOf({ content }: Pick<Sent, 'content'>): unknown {
  if (content.length < 3 || content[0] !== 0x7b) return undefined;
  return (JSON.parse(content.toString()) as { readonly code?: unknown }).code;
}

function record({ fields, content }: Sent, what: string, code: ErrorCode | undefined): void {
  const name = EXAMPLES[what];
  if (name !== undefined) recorded.answers[name] = JSON.parse(content.toString());
  if (code !== undefined) recorded.errors[code] ??= JSON.parse(content.toString());
  for (const name of Object.keys(API_FIELDS)) {
    const value = fields[name.toLowerCase()];
    if (typeof value === 'string') recorded.fields[name] ??= value;
  }
}

const API_FIELDS = (API as unknown as { components: { headers: Record<string, unknown> } })
  .components.headers;

/** Times, ids, memory, lengths and what follows from them differ each time. */
const BY_CHANCE =
  /^(?:timestamp|uptime|rss|heapTotal|heapUsed|external|id|url|\w+Url|\w+At|found|scanned|RateLimit.*|X-Request-Id|Content-Length|playbacks)$/;

function withoutChance(value: unknown, key = ''): unknown {
  if (BY_CHANCE.test(key) && !(key === 'id' && !/^[\w-]{22}$/.test(String(value)))) return key;
  if (Array.isArray(value)) return value.map((one) => withoutChance(one));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, withoutChance(one, name)]),
  );
}
