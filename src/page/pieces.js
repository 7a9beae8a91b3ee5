import { withQuery } from './forms.js';

/**
 * One request is enough after a jump, and none is open so long that the service takes it for a
 * client that has stalled.
 */
const PIECE_SECONDS = 45;
/** of the MP3 that the service makes, in bytes a second */
const MP3_BYTES_PER_SECOND = 192_000 / 8;
/** Caches keep parts in blocks of so many bytes: what is not aligned to them leaves holes. */
const BLOCK_BYTES = 1024;
/** A frame or two earlier than asked, so that the place itself is among what is decoded. */
const EARLIER_SECONDS = 0.1;

/**
 * Reads a track from a place in time to its end.
 *
 * MP3 is cut into ranges: at a constant bit rate the place in bytes follows from the time, with
 * others it is near. Fragmented MP4 has to begin with its head, so the service is asked for the
 * track from there on.
 *
 * @returns {AsyncGenerator<{ content: Uint8Array, startSeconds?: number }>} `startSeconds` where the
 *   times of what follows begin anew
 */
export function readPieces({ api, url, track, quality, from, signal }) {
  const start = Math.max(0, from - EARLIER_SECONDS);
  if (quality.id !== 'aac') return readRanges({ api, url, track, quality, start, signal });
  const fromThere = start > 0 ? withQuery(url, `start=${start.toFixed(3)}`) : url;
  return readWhole(api, fromThere, start, signal);
}

async function* readRanges({ api, url, track, quality, start, signal }) {
  const rate = quality.id === 'mp3' ? MP3_BYTES_PER_SECOND : track.size / track.duration;
  const pieceBytes = Math.ceil((PIECE_SECONDS * rate) / BLOCK_BYTES) * BLOCK_BYTES;
  let firstPos = Math.floor((start * rate) / BLOCK_BYTES) * BLOCK_BYTES;
  let completeLength = Infinity;
  let startSeconds = firstPos / rate;
  while (firstPos < completeLength) {
    // wherever it begins, it ends where others do: what the browser has of a piece is its end
    const lastPos = (Math.floor(firstPos / pieceBytes) + 1) * pieceBytes - 1;
    const range = `bytes=${firstPos}-${lastPos}`;
    const response = await api.call(url, { headers: { Range: range }, signal });
    if (response.status !== 206) {
      // its length is not known beforehand: all of it comes, from the beginning
      yield* stream(response, 0);
      return;
    }
    const content = new Uint8Array(await response.arrayBuffer());
    completeLength = Number(response.headers.get('Content-Range').split('/')[1]);
    yield { content, startSeconds };
    startSeconds = undefined;
    firstPos += content.length;
  }
}

async function* readWhole(api, url, start, signal) {
  yield* stream(await api.call(url, { signal }), start);
}

async function* stream(/** @type {Response} */ response, /** @type {number} */ startSeconds) {
  const reader = response.body.getReader();
  let isFirst = true;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield isFirst ? { content: value, startSeconds } : { content: value };
    isFirst = false;
  }
}
