import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { sign } from 'jsonwebtoken';
import { type SelfSigned } from './self-signed';
import { uniqueSubject } from './sign-token';

/** A key pair as issuers have it. */
export interface IssuerKey {
  readonly kid: string;
  readonly algorithm: 'RS256' | 'ES256';
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** public half, as it stands in a JWK set */
  readonly jwk: JsonWebKey & Readonly<Record<string, unknown>>;
  sign(claims?: object, header?: object): string;
}

export function createIssuerKey(kid: string, algorithm: 'RS256' | 'ES256' = 'ES256'): IssuerKey {
  const { privateKey, publicKey } =
    algorithm === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    kid,
    algorithm,
    privateKey,
    publicKey,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: algorithm },
    sign: (claims = {}, header = {}) =>
      sign({ sub: uniqueSubject(), ...claims }, privateKey, {
        algorithm,
        header: { alg: algorithm, kid, ...header },
        ...('exp' in claims ? {} : { expiresIn: 600 }),
      }),
  };
}

/** A real server with a JWK set. */
export interface Issuer {
  readonly url: string;
  /** requests so far */
  readonly requests: readonly IncomingMessage[];
  /** what it answers from now on: a set of these keys, or whatever a function makes of a request */
  answer: readonly IssuerKey[] | RequestListener;
  close(): Promise<void>;
}

/**
 * @param port of an issuer that was closed, to come back at its address
 * @param tls of an issuer behind https
 */
export async function startIssuer(
  answer: Issuer['answer'] = [],
  port = 0,
  tls?: SelfSigned,
): Promise<Issuer> {
  const requests: IncomingMessage[] = [];
  const listener: RequestListener = (req, res) => {
    requests.push(req);
    if (typeof issuer.answer === 'function') issuer.answer(req, res);
    else sendKeySet(res, issuer.answer);
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const issuer: Issuer = {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    requests,
    answer,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return issuer;
}

export function sendKeySet(res: ServerResponse, keys: readonly IssuerKey[]): void {
  res.setHeader('Content-Type', 'application/jwk-set+json');
  res.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
}
