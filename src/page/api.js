/** What the service answered in place of what was asked for; status 0: it did not answer at all. */
export class Refusal extends Error {
  /**
   * @param {{ status: number, code: string, message: string, retryAfterSeconds?: number,
   *   playbacks?: { id: string, trackId: string, startedAt: string, lastActiveAt: string }[] }} answer
   */
  constructor({ status, code, message, retryAfterSeconds, playbacks }) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
    this.playbacks = playbacks ?? [];
  }
}

/** RFC 6750 §2.1. What is none, such as one that was shortened to `eyJ…`, no field can hold. */
const B64TOKEN = /^[\w.~+/-]+=*$/;

/** The address of a track: its id is one segment of the path, slashes and all. */
export function trackPath(/** @type {string} */ id) {
  return `/api/stream/${encodeURIComponent(id)}`;
}

/**
 * Calls the service with the listener's token, which lives here and nowhere else.
 *
 * @param {object} deps
 * @param {(request: object) => void} deps.record is told of each request for the network panel
 * @param {(why: 'none' | 'refused' | 'changed') => Promise<string>} deps.askForToken asks the
 *   listener; rejects when there is to be none
 */
export function createApi({ record, askForToken }) {
  /** @type {string | undefined} */
  let token;
  /** @type {Promise<string> | undefined} several calls may find out at once that a token is over */
  let asking;

  /** A new token, unless somebody else has got one since `used` was refused. */
  async function renewToken(/** @type {string | undefined} */ used) {
    if (token !== undefined && token !== used) return;
    await changeToken(used === undefined ? 'none' : 'refused');
  }

  async function changeToken(/** @type {'none' | 'refused' | 'changed'} */ why) {
    asking ??= askForToken(why).finally(() => (asking = undefined));
    token = await asking;
  }

  async function send(path, { method = 'GET', headers = {}, needsToken = true, ...init } = {}) {
    if (needsToken && !B64TOKEN.test(token)) {
      throw new Refusal({ status: 401, code: 'invalid_token', message: 'That is no token' });
    }
    const startedAt = performance.now();
    const all = { ...headers, ...(needsToken ? { Authorization: `Bearer ${token}` } : {}) };
    const response = await fetch(path, {
      method,
      headers: all,
      credentials: 'omit',
      ...init,
    }).catch((error) => {
      if (init.signal?.aborted) throw error;
      throw new Refusal({ status: 0, code: 'unreachable', message: 'The service does not answer' });
    });
    record({
      by: 'fetch',
      method,
      url: path,
      range: headers.Range,
      status: response.status,
      contentRange: response.headers.get('Content-Range'),
      bytes: readLength(response),
      firstByteMs: performance.now() - startedAt,
    });
    if (!response.ok) throw await readRefusal(response);
    return response;
  }

  /**
   * @param {string} path
   * @param {object} [options] those of fetch(), and
   * @param {boolean} [options.isQuiet] fails rather than to ask for a token
   * @throws {Refusal}
   */
  async function call(path, { isQuiet = false, ...init } = {}) {
    if (token === undefined && isQuiet) throw noToken();
    if (token === undefined) await renewToken(undefined);
    const used = token;
    try {
      return await send(path, init);
    } catch (error) {
      if (isQuiet || !(error instanceof Refusal) || error.status !== 401) throw error;
      await renewToken(used);
      return send(path, init);
    }
  }

  return {
    call,
    /** The same without a token, for what a grant opens. */
    callOpen: (path, init = {}) => send(path, { ...init, needsToken: false }),
    /** `data` of an answer in JSON. */
    async json(path, init) {
      const response = await call(path, init);
      return (await response.json()).data;
    },
    /** The token was refused. Rejects when the listener has no other. */
    renewToken: () => renewToken(token),
    /** The listener wants to use another. */
    changeToken: () => changeToken(token === undefined ? 'none' : 'changed'),
    setToken(/** @type {string} */ value) {
      token = value;
    },
    /** For the two who send requests of their own: the Service Worker and hls.js. */
    token: () => token,
  };
}

function noToken() {
  return new Refusal({ status: 401, code: 'unauthorized', message: 'There is no token' });
}

function readLength(/** @type {Response} */ { headers }) {
  const length = headers.get('Content-Length');
  return length === null ? undefined : Number(length);
}

async function readRefusal(/** @type {Response} */ response) {
  const { code, message, playbacks } = await response.json().catch(() => ({}));
  const seconds = Number(response.headers.get('Retry-After'));
  return new Refusal({
    status: response.status,
    code: code ?? 'unknown',
    message: message ?? response.statusText,
    ...(seconds > 0 ? { retryAfterSeconds: seconds } : {}),
    ...(Array.isArray(playbacks) ? { playbacks } : {}),
  });
}
