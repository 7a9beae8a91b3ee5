import { connect, type AddressInfo, createServer } from 'node:net';
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { collectGarbage } from '../support/collect-garbage';
import { createIssuerKey, sendKeySet, startIssuer, type Issuer } from '../support/token-issuer';
import { startApp, type TestApp } from '../support/build-app';
import { parseJson, send, type Answer } from '../support/http-client';
import { MemoryStore } from '../support/memory-storage';
import { patternedBytes } from '../support/patterned-bytes';
import { uniqueSubject } from '../support/sign-token';
import { until } from '../support/until';

const COOL_DOWN_MS = 30_000;
const PLAYBACK_SECRET = 'a-secret-for-playback-of-32-bytes-or-more';
const SONG = '/api/stream/song';

const ec = createIssuerKey('ec-1');
const rsa = createIssuerKey('rsa-1', 'RS256');
const next = createIssuerKey('ec-2');

const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

/** The service with keys of an issuer, on a clock that the test moves. */
async function start(
  answer: Issuer['answer'],
  env: Readonly<Record<string, string>> = {},
): Promise<{ issuer: Issuer; app: TestApp; clock: { now: number } }> {
  const issuer = await startIssuer(answer);
  opened.push(issuer);
  const clock = { now: Date.now() };
  const app = await startApp(
    { JWT_SECRET: '', JWKS_URL: issuer.url, PLAYBACK_SECRET, ...env },
    { store: new MemoryStore({ song: { bytes: patternedBytes(100) } }), clock: () => clock.now },
  );
  opened.push(app);
  return { issuer, app, clock };
}

function ask({ port }: TestApp, token: string, path = SONG): Promise<Answer> {
  return send(port, path, { headers: { authorization: `Bearer ${token}` } });
}

/** Until one of the background's own fetches is over. */
async function asked(issuer: Issuer, app: TestApp, times = 1): Promise<void> {
  await until(() => issuer.requests.length >= times, `${times} requests of keys`);
  await until(
    () => app.log.some(({ message }) => String(message).startsWith('keys of tokens')),
    'an outcome',
  );
}

describe.each(['true', 'false'])('keys of a JWKS_URL, FAST_LANE=%s', (fastLane) => {
  const lane = { FAST_LANE: fastLane };

  it('verify RS256 and ES256, asked for with no coding', async () => {
    const { app, issuer } = await start([ec, rsa], lane);
    for (const key of [ec, rsa]) {
      const token = key.sign();
      for (let i = 0; i < 3; i += 1) expect((await ask(app, token)).status).toBe(200);
    }
    expect(issuer.requests).toHaveLength(1);
    const [request] = issuer.requests;
    expect([request?.method, request?.headers['accept-encoding']]).toEqual(['GET', 'identity']);
    expect((await ask(app, next.sign())).status).toBe(401);
  });

  it('rotate: a new key counts at its first token, a removed one no more for any', async () => {
    const { app, issuer, clock } = await start([ec], lane);
    const old = ec.sign();
    expect((await ask(app, old)).status).toBe(200);
    expect((await ask(app, old)).status).toBe(200);
    issuer.answer = [next];
    clock.now += COOL_DOWN_MS;
    expect((await ask(app, next.sign())).status).toBe(200);
    // remembered before, and forgotten with its key
    const refused = await ask(app, old);
    expect([refused.status, parseJson(refused).code]).toEqual([401, 'invalid_token']);
  });

  it('are fetched once in the cool-down for 1,000 tokens of unknown keys', async () => {
    const { app, issuer, clock } = await start([ec], lane);
    expect((await ask(app, ec.sign())).status).toBe(200);
    clock.now += COOL_DOWN_MS;
    const sub = uniqueSubject();
    for (let batch = 0; batch < 20; batch += 1) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_each, i) =>
          ask(app, next.sign({ sub }, { kid: `unknown-${batch}-${i}` })),
        ),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    }
    expect(issuer.requests).toHaveLength(2);
    expect((await ask(app, ec.sign())).status).toBe(200);
  });
});

describe('an issuer', () => {
  type Row = [string, Issuer['answer']];
  const big = JSON.stringify({ keys: [], filler: 'x'.repeat(1_000_000) });
  it.each<Row>([
    ['with 500', (_req, res) => void res.writeHead(500).end('oh')],
    ['with a redirect', (_req, res) => void res.writeHead(302, { Location: '/other' }).end()],
    ['with 204', (_req, res) => void res.writeHead(204).end()],
    ['with garbage', (_req, res) => void res.end('<html>')],
    ['with nothing', (_req, res) => void res.end()],
    ['with JSON that is no set', (_req, res) => void res.end('{"keys":{}}')],
    ['with deeply nested JSON', (_req, res) => void res.end('['.repeat(60_000))],
    ['with 1 MB', (_req, res) => void res.end(big)],
    ['with 1 MB that does not say so', (_req, res) => void (res.write(big), res.end())],
    [
      'with gzip',
      (_req, res) => {
        const keys = JSON.stringify({ keys: [ec.jwk] });
        res.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(keys));
      },
    ],
    [
      'with a cut answer',
      (_req, res) =>
        void (
          res.writeHead(200, { 'Content-Length': 500 }).write('{"keys":['),
          setTimeout(() => res.destroy(), 20)
        ),
    ],
    ['with a closed connection', (req) => void req.socket.destroy()],
    ['with what is no HTTP', (req) => void req.socket.end('hello\r\n\r\n')],
    [
      'with 100 kB of fields',
      (req) => void req.socket.end(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`),
    ],
  ])(
    'who answers %s is away: 503 until there are keys, and those stay in use',
    async (_name, answer) => {
      const { app, issuer, clock } = await start(answer);
      const refused = await ask(app, ec.sign());
      expect(refused.status).toBe(503);
      expect(parseJson(refused)).toMatchObject({ status: 'error', code: 'keys_unavailable' });
      expect(refused.headers).toMatchObject({ 'retry-after': '5' });
      expect(refused.headers['www-authenticate']).toBeUndefined();
      expect(issuer.requests.map(({ url }) => url)).toEqual(['/keys']);
      const warnings = app.log.filter(({ level }) => level === 'warn');
      expect(warnings.map(({ message }) => message)).toContain('keys of tokens cannot be fetched');
      expect(JSON.stringify(warnings)).not.toContain('127.0.0.1');

      issuer.answer = [ec];
      clock.now += COOL_DOWN_MS;
      expect((await ask(app, ec.sign())).status).toBe(200);
      issuer.answer = answer;
      clock.now += COOL_DOWN_MS;
      expect((await ask(app, next.sign())).status).toBe(503);
      expect((await ask(app, ec.sign())).status).toBe(200);
      // what no key of any issuer fits is wrong whoever is away
      expect((await ask(app, 'rubbish')).status).toBe(401);
    },
  );

  it('who stalls holds a token of an unknown key for 3 s, and no other', async () => {
    const { app, issuer, clock } = await start([ec]);
    expect((await ask(app, ec.sign())).status).toBe(200);
    // begins, and drips on: the time is that of the whole answer
    issuer.answer = (_req, res) => {
      const drip = setInterval(() => res.write(' '), 100);
      res.on('close', () => {
        clearInterval(drip);
      });
    };
    clock.now += COOL_DOWN_MS;
    const began = performance.now();
    let answered = 0;
    const waiting = Array.from({ length: 20 }, async () => {
      const answer = await ask(app, next.sign());
      answered += 1;
      return answer;
    });
    await until(() => issuer.requests.length === 2, 'the second request');
    const known = ec.sign();
    expect((await ask(app, known)).status).toBe(200);
    expect(answered).toBe(0);
    const statuses = (await Promise.all(waiting)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([503]));
    const tookMs = performance.now() - began;
    expect(tookMs).toBeGreaterThan(2_500);
    expect(tookMs).toBeLessThan(8_000);
    expect(issuer.requests).toHaveLength(2);
  });

  it('who says nothing is given up after 3 s, also where garbage is collected meanwhile', async () => {
    const { app, issuer } = await start(() => undefined);
    await until(() => issuer.requests.length === 1, 'the request');
    const collecting = setInterval(collectGarbage, 250);
    const refused = await ask(app, ec.sign()).finally(() => {
      clearInterval(collecting);
    });
    expect([refused.status, parseJson(refused).code]).toEqual([503, 'keys_unavailable']);
  });

  it('who is not there does not delay the start, and no 503 counts as a failure', async () => {
    const { app } = await start((_req, res) => void res.writeHead(503).end(), {
      RATE_LIMIT_AUTH_FAILURES: '1',
      REDIS_URL: '',
    });
    expect((await send(app.port, '/health')).status).toBe(200);
    for (let i = 0; i < 5; i += 1) expect((await ask(app, ec.sign())).status).toBe(503);
  });

  it('is not asked for addresses and keys in a token', async () => {
    let connections = 0;
    const trap = createServer((socket) => {
      connections += 1;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(trap, 'listening');
    const { port } = trap.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/keys`;
    const { app } = await start([ec]);
    const stranger = createIssuerKey('ec-1');
    for (const header of [{ jku: url }, { x5u: url }, { jwk: stranger.jwk }, { x5c: ['MIIB'] }]) {
      expect((await ask(app, stranger.sign({}, header))).status).toBe(401);
      expect((await ask(app, ec.sign({}, header))).status).toBe(200);
    }
    expect((await ask(app, stranger.sign({}, { kid: url, jku: url }))).status).toBe(401);
    // a connection that was begun would be there before one that is begun now
    const last = connect(port, '127.0.0.1').on('error', () => undefined);
    await once(last, 'close');
    expect(connections).toBe(1);
    trap.close();
  });

  it('who has not answered yet does not keep the service from closing', async () => {
    const { app, issuer } = await start(() => undefined);
    await until(() => issuer.requests.length === 1, 'the request');
    const began = performance.now();
    await app.close();
    expect(performance.now() - began).toBeLessThan(1_500);
    opened.splice(opened.indexOf(app), 1);
  });

  it('who comes back is noticed in the log', async () => {
    const { app, issuer, clock } = await start((_req, res) => void res.writeHead(500).end());
    await asked(issuer, app);
    issuer.answer = (_req, res) => {
      sendKeySet(res, [ec]);
    };
    clock.now += COOL_DOWN_MS;
    expect((await ask(app, ec.sign())).status).toBe(200);
    const messages = app.log.map(({ message }) => message);
    expect(messages).toContain('keys of tokens can be fetched again');
  });
});

describe('JWT_PUBLIC_KEY', () => {
  it('verifies tokens of its algorithm, and tokens of no other', async () => {
    const app = await startApp(
      {
        JWT_SECRET: '',
        PLAYBACK_SECRET,
        JWT_PUBLIC_KEY: rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      },
      { store: new MemoryStore({ song: { bytes: patternedBytes(100) } }) },
    );
    opened.push(app);
    const statuses = [rsa.sign(), rsa.sign({}, { kid: undefined }), ec.sign()].map(
      async (token) => (await ask(app, token)).status,
    );
    expect(await Promise.all(statuses)).toEqual([200, 200, 401]);
  });
});
