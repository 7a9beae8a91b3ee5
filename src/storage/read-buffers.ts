/** Memory that is read into, and handed on to sockets. */
export interface ReadBuffers {
  /** Bytes of any content, `lengthBytes` or more of them. */
  take(lengthBytes: number): Buffer;
  /** Gives back what nobody looks at any more. */
  giveBack(buffer: Buffer): void;
}

const SMALLEST_BYTES = 16_384;
/** Of each size; 8 MB in all when every one is kept. */
const MAX_KEPT = 32;

/**
 * Buffers used over and over. Fresh ones for each answer would be gigabytes of garbage a second, and
 * collecting it costs more than sending it.
 */
export function createReadBuffers(): ReadBuffers {
  const kept = new Map<number, Buffer[]>();
  return {
    take(lengthBytes) {
      const size = sizeFor(lengthBytes);
      return kept.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
    },
    giveBack(buffer) {
      const list = kept.get(buffer.length);
      if (!list) kept.set(buffer.length, [buffer]);
      else if (list.length < MAX_KEPT) list.push(buffer);
    },
  };
}

/** Powers of two, so that there are few sizes. */
function sizeFor(lengthBytes: number): number {
  let size = SMALLEST_BYTES;
  while (size < lengthBytes) size *= 2;
  return size;
}
