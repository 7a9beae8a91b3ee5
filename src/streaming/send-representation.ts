import { type ServerResponse } from 'node:http';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { lengthOf } from './byte-range';
import { type ByteSource } from './representation';
import { type ResponsePlan, type Segment } from './response-plan';

/** How the sending of a planned response ended; failures of ours leave the response unfinished. */
export type SendOutcome =
  | { readonly kind: 'complete' }
  | { readonly kind: 'client-left' }
  | { readonly kind: 'short-read' }
  | { readonly kind: 'read-failed'; readonly error: unknown };

export interface SendOptions {
  /** aborted when the client leaves */
  readonly signal: AbortSignal;
  /** called once, when the header section goes out */
  readonly onFirstByte?: () => void;
  /** called with the bytes of content that the socket has taken over, as they go */
  readonly onSent?: (bytes: number) => void;
}

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
  { signal, onFirstByte, onSent }: SendOptions,
): Promise<SendOutcome> {
  const begin = (): void => {
    if (res.headersSent) return;
    res.writeHead(plan.status, plan.fields);
    onFirstByte?.();
  };
  let isSocketLost = false;
  const forward = (chunk: Buffer, done: (error?: Error | null) => void): void => {
    begin();
    res.write(chunk, (error) => {
      if (error) isSocketLost = true;
      else onSent?.(chunk.length);
      done(error);
    });
  };

  for (const segment of plan.segments) {
    try {
      const sentBytes = await sendSegment(segment, source, forward, signal);
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

/** @returns bytes that the socket has taken over */
async function sendSegment(
  segment: Segment,
  source: ByteSource,
  forward: (chunk: Buffer, done: (error?: Error | null) => void) => void,
  signal: AbortSignal,
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
      ? source.read(segment.range, signal)
      : Readable.from([Buffer.from(segment.text)]);
  await pipeline(bytes, sink, { signal });
  return sentBytes;
}

function segmentLength(segment: Segment): number {
  return segment.kind === 'slice' ? lengthOf(segment.range) : Buffer.byteLength(segment.text);
}
