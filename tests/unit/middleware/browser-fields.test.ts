import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import cors from 'cors';
import express from 'express';
import helmet from 'helmet';
import { ALLOWED_METHODS } from '../../../src/middleware/allow-methods';
import {
  createBrowserFields,
  EXPOSED_FIELDS,
  type FieldList,
} from '../../../src/middleware/browser-fields';
import { send } from '../../support/http-client';

const PLAYER = 'https://player.example.com';
const OTHER = 'https://other.example.com';
const STRANGER = 'https://evil.example.com';

/**
 * What every answer has, as it stands: another version of helmet or cors that sends something else
 * shows here, and is to be judged before it is deployed.
 */
const SECURITY: FieldList = [
  ['Content-Security-Policy', "default-src 'none';frame-ancestors 'none';sandbox"],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'cross-origin'],
  ['Origin-Agent-Cluster', '?1'],
  ['Referrer-Policy', 'no-referrer'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-DNS-Prefetch-Control', 'off'],
  ['X-Download-Options', 'noopen'],
  ['X-Frame-Options', 'SAMEORIGIN'],
  ['X-Permitted-Cross-Domain-Policies', 'none'],
  ['X-XSS-Protection', '0'],
].flat();
const EXPOSED: FieldList = ['Access-Control-Expose-Headers', EXPOSED_FIELDS.join(',')];

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** helmet and cors as they come, with our settings, behind no list of ours. */
function createPlain(origins: '*' | readonly string[]): RequestListener {
  const app = express();
  app.disable('x-powered-by').disable('etag');
  app.use(
    helmet({
      crossOriginResourcePolicy: { policy: 'cross-origin' },
      strictTransportSecurity: false,
      contentSecurityPolicy: {
        useDefaults: false,
        directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], sandbox: [] },
      },
    }),
    cors({
      origin: origins === '*' ? '*' : [...origins],
      methods: ALLOWED_METHODS.split(', '),
      exposedHeaders: [...EXPOSED_FIELDS],
      preflightContinue: true,
    }),
    (_req, res) => {
      res.writeHead(200).end();
    },
  );
  return app;
}

/** Names and values as they were sent, but for those of Node. */
async function fieldsOf(
  port: number,
  origin: string | undefined,
): Promise<IncomingMessage['headers']> {
  const { headers } = await send(port, '/', { headers: origin === undefined ? {} : { origin } });
  const own = ['date', 'connection', 'keep-alive', 'transfer-encoding', 'content-length'];
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !own.includes(name)));
}

function toObject(list: FieldList): Record<string, string> {
  const entries = Array.from({ length: list.length / 2 }, (_, i) => [
    (list[2 * i] ?? '').toLowerCase(),
    list[2 * i + 1] ?? '',
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

const CASES: readonly (readonly ['*' | readonly string[], string | undefined, FieldList])[] = [
  ['*', undefined, ['Access-Control-Allow-Origin', '*']],
  ['*', PLAYER, ['Access-Control-Allow-Origin', '*']],
  [[PLAYER, OTHER], undefined, ['Vary', 'Origin']],
  [[PLAYER, OTHER], PLAYER, ['Access-Control-Allow-Origin', PLAYER, 'Vary', 'Origin']],
  [[PLAYER, OTHER], OTHER, ['Access-Control-Allow-Origin', OTHER, 'Vary', 'Origin']],
  [[PLAYER, OTHER], STRANGER, ['Vary', 'Origin']],
  [[PLAYER, OTHER], PLAYER.toUpperCase(), ['Vary', 'Origin']],
  [[PLAYER, OTHER], 'null', ['Vary', 'Origin']],
  [[PLAYER], STRANGER, ['Vary', 'Origin']],
];

describe.each(CASES)('browser fields, CORS_ORIGIN %j, Origin %s', (origins, origin, own) => {
  it('are these, however often they are asked for', () => {
    const fields = createBrowserFields(origins);
    const expected = toObject([...SECURITY, ...own, ...EXPOSED]);
    expect(toObject(fields.of(origin))).toEqual(expected);
    expect(fields.of(origin)).toBe(fields.of(origin));
  });

  it('are what helmet and cors set on a real answer', async () => {
    const plain = await fieldsOf(await listen(createPlain(origins)), origin);
    expect(toObject(createBrowserFields(origins).of(origin))).toEqual(plain);
  });

  it('are set by the handler as they are listed', async () => {
    const fields = createBrowserFields(origins);
    const app = express().disable('x-powered-by');
    app.use(fields.handler, (_req, res) => {
      res.writeHead(200).end();
    });
    expect(await fieldsOf(await listen(app), origin)).toEqual(toObject(fields.of(origin)));
  });
});

describe('createBrowserFields()', () => {
  it('has one list for all origins that get the same', () => {
    const fields = createBrowserFields([PLAYER]);
    // strangers could fill the memory
    for (let i = 0; i < 100; i += 1)
      expect(fields.of(`https://${i}.example`)).toBe(fields.of(undefined));
  });
});
