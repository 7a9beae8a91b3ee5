/**
 * Adds the listener's token to what an audio element asks for: the element itself cannot send one.
 * It touches nothing but requests below /api/stream/ that carry neither a token nor a grant, and
 * only those of a page that has given it a token. Nothing is stored.
 */

const ASK_TIMEOUT_MS = 2_000;

/** Of pages that are to be served, by their id; lost when the browser stops this worker. */
const tokens = new Map();

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('message', (event) => {
  const { data, source, ports } = event;
  if (data.kind === 'forget') tokens.delete(source.id);
  if (data.kind !== 'claim') return;
  tokens.set(source.id, data.token);
  // a page that was loaded past its worker (shift and reload) is not ours until we say so
  event.waitUntil(self.clients.claim().then(() => ports[0].postMessage('ready')));
});

self.addEventListener('fetch', (event) => {
  const { request, clientId } = event;
  const url = new URL(request.url);
  const isOurs =
    url.origin === self.location.origin &&
    url.pathname.startsWith('/api/stream/') &&
    !url.searchParams.has('grant') &&
    !request.headers.has('Authorization');
  if (isOurs) event.respondWith(answer(request, clientId));
});

async function answer(request, clientId) {
  const startedAt = performance.now();
  const client = await self.clients.get(clientId);
  const headers = new Headers(request.headers);
  const token = tokens.get(clientId) ?? (await askFor(client));
  if (token) {
    tokens.set(clientId, token);
    headers.set('Authorization', `Bearer ${token}`);
  }
  // built anew: the request of an element is one of mode no-cors, which must not carry the field
  const response = await fetch(request.url, {
    method: request.method,
    headers,
    mode: 'cors',
    credentials: 'omit',
    cache: request.cache,
    signal: request.signal,
  });
  if (response.status === 401) tokens.delete(clientId);
  const length = response.headers.get('Content-Length');
  client?.postMessage({
    kind: 'request',
    request: {
      method: request.method,
      url: request.url,
      range: request.headers.get('Range') ?? undefined,
      status: response.status,
      contentRange: response.headers.get('Content-Range'),
      bytes: length === null ? undefined : Number(length),
      firstByteMs: performance.now() - startedAt,
    },
  });
  return response;
}

/** The token of a player page that this worker has forgotten; other pages have none for it. */
function askFor(client) {
  if (!client || new URL(client.url).pathname !== '/') return undefined;
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
    setTimeout(resolve, ASK_TIMEOUT_MS);
    client.postMessage({ kind: 'token-wanted' }, [port2]);
  });
}
