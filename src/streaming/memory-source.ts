import { Readable } from 'node:stream';
import { type ByteSource } from './representation';

/** Content that is in memory as a whole. */
export function createMemorySource(content: Buffer): ByteSource {
  return {
    read: ({ firstPos, lastPos }) => Readable.from([content.subarray(firstPos, lastPos + 1)]),
    readNow: ({ firstPos, lastPos }) => ({
      pieces: [content.subarray(firstPos, lastPos + 1)],
      release: () => undefined,
    }),
  };
}
