import { type ServerResponse } from 'node:http';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { lengthOf } from './byte-range';
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
  readonly commonFields?: readonly string[];
  /** aborted when the client leaves */
  readonly signal: AbortSignal;
  /** what slices are read into; without it each chunk has memory of its own */
  readonly memory?: ChunkMemory;
  /** called once, when the header section goes out */
  readonly onFirstByte?: () => void;
  /** called with the bytes of content that the socket has taken over, as they go */
  readonly onSent?: (bytes: number) => void;
}

/** What is read in one piece; so much memory a client can hold that does not take it. */
const ONE_READ_BYTES = 131_072;

/**
 * Carries out a plan. Backpressure holds: no more than one slice of the source waits in memory.
 *
 * The header section goes out with the first bytes, so a source that fails before them leaves the
 * response untouched, free for an error answer. After that the caller must cut the connection: a
 * client would take whatever came next for audio (RFC 9112 §6.3 counts bytes, nothing else).
 */
export async function sendRepresentation(
  res: ServerResponse,
  plan: ResponsePlan,
  source: ByteSource,
  options: SendOptions,
): Promise<SendOutcome> {
  const [only] = plan.segments;
  if (plan.segments.length === 1 && only?.kind === 'slice') {
    const known = source.readNow?.(only.range);
    if (known) return sendAtOnce(res, plan, known, options);
    const { readAtOnce } = source;
    if (readAtOnce && plan.contentLength <= ONE_READ_BYTES) {
      return readAndSend(res, plan, () => readAtOnce(only.range), options);
    }
  }
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
  const { signal, onFirstByte, onSent } = options;
  const begin = (): void => {
    if (res.headersSent) return;
    writeHead(res, plan, options);
    onFirstByte?.();
  };
  let isSocketLost = false;
  const forward = (chunk: Buffer, done: (error?: Error | null) => void): void => {
    begin();
    res.write(chunk, (error) => {
      loan?.taken(chunk);
      if (error) isSocketLost = true;
      else onSent?.(chunk.length);
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
  const { onFirstByte, onSent } = options;
  writeHead(res, plan, options);
  onFirstByte?.();
  res.cork();
  for (const piece of pieces) {
    const isLast = piece === pieces.at(-1);
    res.write(piece, (error) => {
      // a failed write leaves the memory to the garbage collector; `finish` comes all the same
      if (error) return;
      onSent?.(piece.length);
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
  readonly forward: (chunk: Buffer, done: (error?: Error | null) => void) => void;
  readonly signal: AbortSignal;
  readonly loan: ChunkLoan | undefined;
}

/** @returns bytes that the socket has taken over */
async function sendSegment(
  segment: Segment,
  { source, forward, signal, loan }: Sending,
): Promise<number> {
  let sentBytes = 0;
  const sink = new Writable({
    highWaterMark: 1, // the source reads ahead, nothing else does
    write(chunk: Buffer, _encoding, done) {
      forward(chunk, (error) => {
        if (!error) sentBytes += chunk.length;
        done(error);
      });
    },
  });
  const bytes =
    segment.kind === 'slice'
      ? source.read(segment.range, signal, loan && (() => loan.next()))
      : Readable.from([Buffer.from(segment.text)]);
  await pipeline(bytes, sink, { signal });
  return sentBytes;
}

function segmentLength(segment: Segment): number {
  return segment.kind === 'slice' ? lengthOf(segment.range) : Buffer.byteLength(segment.text);
}
