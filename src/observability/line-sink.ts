/** Where finished log lines go. */
export interface LineSink {
  /** Hands the line over at once, after all that wait. */
  write(line: string): void;
  /** Lets the line wait for company. */
  append(line: string): void;
  /** Hands over all that waits. */
  flush(): void;
}

/** PIPE_BUF: so much goes into a pipe in one piece, even when several processes write to it. */
const MAX_WRITE_BYTES = 4_096;

/**
 * Lines in batches: a system call for each of them would cost more than all else about them.
 *
 * @param maxWaitMs how long a line waits for others; 0 for not at all
 */
export function createLineSink(output: NodeJS.WritableStream, maxWaitMs: number): LineSink {
  let waiting = '';
  let waitingBytes = 0;
  let timer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting === '') return;
    const lines = waiting;
    waiting = '';
    waitingBytes = 0;
    output.write(lines);
  };

  return {
    flush,
    write(line) {
      flush();
      output.write(line);
    },
    append(line) {
      const bytes = Buffer.byteLength(line);
      if (waitingBytes + bytes > MAX_WRITE_BYTES) flush();
      waiting += line;
      waitingBytes += bytes;
      if (maxWaitMs === 0) flush();
      else timer ??= setTimeout(flush, maxWaitMs);
    },
  };
}
