import { type ServerResponse } from 'node:http';
import { type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ResponsePlan } from './response-plan';
import { type SendOptions, type SendOutcome } from './send-representation';

/**
 * Sends bytes whose number is not known: in chunks, so that a client can tell the end from a break.
 * As with `sendRepresentation()` the header section goes out with the first of them, and a failure
 * after that leaves the response unfinished for the caller to cut.
 */
export async function sendGrowing(
  res: ServerResponse,
  { status, fields }: Pick<ResponsePlan, 'status' | 'fields'>,
  bytes: Readable,
  options: SendOptions,
): Promise<SendOutcome> {
  const { signal } = options;
  const begin = (): void => {
    if (res.headersSent) return;
    res.writeHead(status, fields);
    options.onFirstByte?.();
  };
  let isSocketLost = false;
  try {
    await pipeline(bytes, async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        begin();
        await write(res, chunk, signal).catch((error: unknown) => {
          isSocketLost = true;
          throw error;
        });
        options.onSent?.(chunk.length);
      }
    });
  } catch (error) {
    // a failed write can be ahead of the signal
    const hasClientLeft = signal.aborted || isSocketLost;
    return hasClientLeft ? { kind: 'client-left' } : { kind: 'read-failed', error };
  }
  begin();
  res.end();
  return { kind: 'complete' };
}

function write(res: ServerResponse, chunk: Buffer, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    // of a response that never gets its socket no write ends
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    res.write(chunk, (error) => {
      signal.removeEventListener('abort', abort);
      if (error) reject(error);
      else resolve();
    });
  });
}
