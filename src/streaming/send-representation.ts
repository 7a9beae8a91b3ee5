import { type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { lengthOf, type ByteRange } from './byte-range';
import { type ChunkLoan } from './chunk-loan';
import { type ChunkMemory } from './chunk-memory';
import { type ByteSource, type BytesInMemory } from './representation';
import { type ResponsePlan, type Segment } from './response-plan';

/** How the sending of a planned response ended; failures of ours leave the response unfinished. */
export type SendOutcome =
  | { readonly kind: 'complete' }
  | { readonly kind: 'client-left' }
  | { readonly kind: 'short-read' }
  | { readonly kind: 'read-failed'; readonly error: unknown };

export interface SendOptions {
  /** names and values in turn, sent beside the plan's where nothing has been set on the response */
  readonly commonFields?: readonly string[] | undefined;
  /** aborted when the client leaves */
  readonly signal: AbortSignal;
  /** what slices are read into; without it each chunk has memory of its own */
  readonly memory?: ChunkMemory;
  /** called once, when the header section goes out */
  onFirstByte?(): void;
  /** called with the bytes of content that the socket has taken over, as they go */
  onSent?(bytes: number): void;
}

/** What is read in one piece; so much memory a client can hold that does not take it. */
const ONE_READ_BYTES = 131_072;
/** What is in memory goes out in pieces of this: so much of it a client can hold that does not take it. */
const ONE_PIECE_BYTES = 262_144;

/**
 * Carries out a plan. Backpressure holds: no more than one slice of the source waits in memory.
 * The outcome is there at once where all bytes are in memory.
 *
 * The header section goes out with the first bytes, so a source that fails before them leaves the
 * response untouched, free for an error answer. After that the caller must cut the connection: a
 * client would take whatever came next for audio (RFC 9112 §6.3 counts bytes, nothing else).
 */
export function sendRepresentation(
  res: ServerResponse,
  plan: ResponsePlan,
  source: ByteSource,
  options: SendOptions,
): SendOutcome | Promise<SendOutcome> {
  const [only] = plan.segments;
  if (plan.segments.length === 1 && only?.kind === 'slice') {
    const known = source.readNow?.(only.range);
    if (known) return sendAtOnce(res, plan, known, options);
    const { readAtOnce } = source;
    if (readAtOnce && plan.contentLength <= ONE_READ_BYTES) {
      return readAndSend(res, plan, () => readAtOnce(only.range), options);
    }
  }
  return sendByLoan(res, plan, source, options);
}

async function sendByLoan(
  res: ServerResponse,
  plan: ResponsePlan,
  source: ByteSource,
  options: SendOptions,
): Promise<SendOutcome> {
  const { signal, memory } = options;
  const loan = memory?.lend({ connection: res.req.socket, lengthBytes: plan.contentLength });
  // of a response that never got its socket no write ends: its reader must not wait for one
  const endLoan = (): void => loan?.close();
  if (signal.aborted) endLoan();
  else signal.addEventListener('abort', endLoan, { once: true });
  try {
    return await sendSegments(res, plan, { source, loan }, options);
  } finally {
    endLoan();
  }
}

async function sendSegments(
  res: ServerResponse,
  plan: ResponsePlan,
  { source, loan }: Pick<Sending, 'source' | 'loan'>,
  options: SendOptions,
): Promise<SendOutcome> {
  const { signal } = options;
  const begin = (): void => {
    if (res.headersSent) return;
    writeHead(res, plan, options);
    options.onFirstByte?.();
  };
  let isSocketLost = false;
  const forward = (chunk: Uint8Array, done: (error?: Error | null) => void): void => {
    begin();
    res.write(chunk, (error) => {
      loan?.taken(chunk);
      if (error) isSocketLost = true;
      else options.onSent?.(chunk.length);
      done(error);
    });
    loan?.handedOver();
  };

  for (const segment of plan.segments) {
    try {
      const sentBytes = await sendSegment(segment, { source, forward, signal, loan });
      if (sentBytes < segmentLength(segment)) return { kind: 'short-read' };
    } catch (error) {
      // both sides end in the same errors; these two tell which of them went first, and a failed
      // write can be ahead of the signal
      const hasClientLeft = signal.aborted || isSocketLost;
      return hasClientLeft ? { kind: 'client-left' } : { kind: 'read-failed', error };
    }
  }
  begin();
  res.end();
  return { kind: 'complete' };
}

/** A range that fits one read needs no stream. */
async function readAndSend(
  res: ServerResponse,
  plan: ResponsePlan,
  read: () => Promise<BytesInMemory>,
  options: SendOptions,
): Promise<SendOutcome> {
  let bytes: BytesInMemory;
  const { signal } = options;
  try {
    bytes = await read(); // throws at once where the track was closed behind a client who left
  } catch (error) {
    return signal.aborted ? { kind: 'client-left' } : { kind: 'read-failed', error };
  }
  const lengthBytes = bytes.pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (!signal.aborted && lengthBytes === plan.contentLength) {
    return sendAtOnce(res, plan, bytes, options);
  }
  bytes.release();
  return signal.aborted ? { kind: 'client-left' } : { kind: 'short-read' };
}

function sendAtOnce(
  res: ServerResponse,
  plan: ResponsePlan,
  bytes: BytesInMemory,
  options: SendOptions,
): SendOutcome {
  const { pieces } = bytes;
  writeHead(res, plan, options);
  options.onFirstByte?.();
  res.cork();
  for (const piece of pieces) {
    const isLast = piece === pieces.at(-1);
    res.write(piece, (error) => {
      // a failed write leaves the memory to the garbage collector; `finish` comes all the same
      if (error) return;
      options.onSent?.(piece.length);
      if (isLast) bytes.release();
    });
  }
  res.end();
  return { kind: 'complete' };
}

function writeHead(
  res: ServerResponse,
  { status, fields }: ResponsePlan,
  { commonFields }: SendOptions,
): void {
  if (!commonFields) {
    res.writeHead(status, fields);
    return;
  }
  // one flat list: Node would keep an object's fields in a map first, to be asked for them
  const list = [...commonFields];
  for (const name in fields) list.push(name, fields[name] ?? '');
  res.writeHead(status, list);
}

interface Sending {
  readonly source: ByteSource;
  readonly forward: (chunk: Uint8Array, done: (error?: Error | null) => void) => void;
  readonly signal: AbortSignal;
  readonly loan: ChunkLoan | undefined;
}

/** @returns bytes that the socket has taken over */
async function sendSegment(segment: Segment, sending: Sending): Promise<number> {
  if (segment.kind === 'text') return stream(Readable.from([Buffer.from(segment.text)]), sending);
  const { source, signal, loan } = sending;
  const { firstPos, lastPos } = segment.range;
  const knownBytes = await sendKnown(segment.range, sending);
  const rest = { firstPos: firstPos + knownBytes, lastPos };
  if (rest.firstPos > lastPos) return knownBytes;
  const bytes = source.read(rest, signal, loan && (() => loan.next()));
  return knownBytes + (await stream(bytes, sending));
}

/** The beginning, as far as it is in memory; one piece after the other, as the client takes them. */
async function sendKnown(
  { firstPos, lastPos }: ByteRange,
  { source, forward, signal }: Sending,
): Promise<number> {
  let position = firstPos;
  while (position <= lastPos) {
    const end = Math.min(position + ONE_PIECE_BYTES - 1, lastPos);
    const known = source.readNow?.({ firstPos: position, lastPos: end });
    if (!known) break;
    for (const piece of known.pieces) {
      await takenOver(piece, forward, signal);
      position += piece.length;
    }
    known.release();
  }
  return position - firstPos;
}

/** Rejects when the write fails or the client leaves: a response without a socket says neither. */
function takenOver(
  piece: Uint8Array,
  forward: Sending['forward'],
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      reject(new Error('the client left'));
    };
    if (signal.aborted) {
      leave();
      return;
    }
    signal.addEventListener('abort', leave, { once: true });
    forward(piece, (error) => {
      signal.removeEventListener('abort', leave);
      if (error) reject(error);
      else resolve();
    });
  });
}

/**
 * One chunk at a time: the next is read when the socket has taken over the last. By hand: there are
 * thousands of these at once, and `pipeline` with a sink takes 8 kB for each.
 */
function stream(bytes: Readable, { forward, signal }: Sending): Promise<number> {
  return new Promise((resolve, reject) => {
    let sentBytes = 0;
    let isTaking = false;
    let isRead = false;
    const end = (error?: unknown): void => {
      signal.removeEventListener('abort', leave);
      bytes.destroy();
      if (error === undefined) resolve(sentBytes);
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as it was thrown
      else reject(error);
    };
    const leave = (): void => {
      end(signal.reason);
    };
    bytes.on('data', (chunk: Uint8Array) => {
      bytes.pause();
      isTaking = true;
      forward(chunk, (error) => {
        isTaking = false;
        if (!error) sentBytes += chunk.length;
        if (error || isRead) end(error ?? undefined);
        else bytes.resume();
      });
    });
    // it can come when the last chunk is on its way
    bytes.once('end', () => {
      isRead = true;
      if (!isTaking) end();
    });
    // also after the end: the error of a stream that nobody listens to would end the process
    bytes.on('error', end);
    bytes.once('close', () => {
      if (!isRead) end(new Error('the stream was closed'));
    });
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
  });
}

function segmentLength(segment: Segment): number {
  return segment.kind === 'slice' ? lengthOf(segment.range) : Buffer.byteLength(segment.text);
}
