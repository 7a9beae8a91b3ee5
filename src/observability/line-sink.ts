/** Where finished log lines go. */
export interface LineSink {
  /** Hands the line over without waiting for others. */
  write(line: string): void;
  /** Lets the line wait for company. */
  append(line: string): void;
  /** Settles when all lines are handed over. */
  flush(): Promise<void>;
}

/** PIPE_BUF: so much goes into a pipe in one piece, even when several processes write to it. */
const MAX_WRITE_BYTES = 4_096;

/**
 * Lines in batches: a system call for each of them would cost more than all else about them.
 *
 * One write at a time, of whole lines: a stream joins what it has queued into larger writes, and
 * those of several processes would be torn.
 *
 * @param maxWaitMs how long a line waits for others; 0 for not at all
 */
export function createLineSink(output: NodeJS.WritableStream, maxWaitMs: number): LineSink {
  /** each of them one write */
  const batches: string[] = [];
  let lastBytes = 0;
  let isWriting = false;
  let timer: NodeJS.Timeout | undefined;
  const flushed: (() => void)[] = [];
  let isLost = false;
  // nobody reads any more: the music goes on without its log
  output.on('error', () => {
    isLost = true;
    batches.length = 0;
    isWriting = false;
    writeNext();
  });

  const writeNext = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (isWriting) return;
    if (isLost) batches.length = 0;
    const batch = batches.shift();
    if (batch === undefined) {
      for (const resolve of flushed.splice(0)) resolve();
      return;
    }
    isWriting = true;
    output.write(batch, () => {
      isWriting = false;
      // what has come meanwhile has waited long enough
      writeNext();
    });
  };

  const add = (line: string): void => {
    const bytes = Buffer.byteLength(line);
    const last = batches.at(-1);
    if (last !== undefined && lastBytes + bytes <= MAX_WRITE_BYTES) {
      batches[batches.length - 1] = last + line;
      lastBytes += bytes;
    } else {
      batches.push(line);
      lastBytes = bytes;
    }
  };

  return {
    write(line) {
      add(line);
      writeNext();
    },
    append(line) {
      add(line);
      if (maxWaitMs === 0 || batches.length > 1) writeNext();
      else timer ??= setTimeout(writeNext, maxWaitMs);
    },
    flush: () =>
      new Promise((resolve) => {
        flushed.push(resolve);
        writeNext();
      }),
  };
}
