import { type IncomingMessage } from 'node:http';
import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';

/** Fetching, from the name of the host to the last byte. */
const TIMEOUT_MS = 3_000;
const MAX_BYTES = 64_000;

/** The issuer's answer is none that we take. */
export class KeySetRefused extends Error {
  override readonly name = 'KeySetRefused';
}

/**
 * Fetches a JWK set from one fixed address. Node's own client follows no redirect and decodes
 * nothing, so that an issuer who was taken over can neither send us elsewhere nor a small answer
 * that becomes a large one.
 *
 * @param url `https:`, or `http:` on loopback
 * @returns a function that fetches anew each time: parsed JSON of at most 64 kB within 3 s
 * @throws KeySetRefused, SyntaxError, or what Node says of the connection
 */
export function createKeySetClient(url: string): (signal: AbortSignal) => Promise<unknown> {
  return async (signal) => {
    // not AbortSignal.timeout(): Node 20 collects one that only any() knows, and then nothing ends this
    const late = new AbortController();
    const timer = setTimeout(() => {
      late.abort(new KeySetRefused(`no whole answer in ${TIMEOUT_MS} ms`));
    }, TIMEOUT_MS).unref();
    try {
      const response = await open(url, AbortSignal.any([signal, late.signal]));
      try {
        return JSON.parse(await read(response)) as unknown;
      } finally {
        response.destroy();
      }
    } finally {
      clearTimeout(timer);
    }
  };
}

function open(url: string, signal: AbortSignal): Promise<IncomingMessage> {
  const get = url.startsWith('https:') ? getHttps : getHttp;
  const headers = {
    Accept: 'application/jwk-set+json, application/json',
    'Accept-Encoding': 'identity',
  };
  return new Promise((resolve, reject) => {
    // a connection of its own: one in five minutes is not worth keeping
    get(url, { headers, signal, agent: false }, resolve).on('error', reject);
  });
}

async function read(response: IncomingMessage): Promise<string> {
  const { statusCode, headers } = response;
  const coding = headers['content-encoding']?.toLowerCase() ?? 'identity';
  if (statusCode !== 200) throw new KeySetRefused(`status ${statusCode}`);
  if (coding !== 'identity') throw new KeySetRefused('content is coded');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new KeySetRefused(`more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
