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
/** Whoever reads may pause, but not at the price of the service. */
const MOST_WAITING_BYTES = 8_388_608;

/**
 * Lines in batches: a system call for each of them would cost more than all else about them. A batch
 * goes when it is full, or when its first line has waited long enough.
 *
 * One write at a time, of whole lines: a stream joins what it has queued into larger writes, and
 * those of several processes would be torn.
 *
 * @param maxWaitMs how long a line waits for others; 0 for not at all
 * @param onLost told for how many lines there was no room, when there is room again
 */
export function createLineSink(
  output: NodeJS.WritableStream,
  maxWaitMs: number,
  onLost?: (lines: number) => void,
): LineSink {
  /** each of them one write; only the last has room */
  const batches: string[] = [];
  let lastBytes = 0;
  let waitingBytes = 0;
  let lostLines = 0;
  /** whether the last waits for company */
  let isPatient = false;
  let isWriting = false;
  let timer: NodeJS.Timeout | undefined;
  const flushed: (() => void)[] = [];
  let isLost = false;
  // nobody reads any more: the music goes on without its log
  output.on('error', () => {
    isLost = true;
    isWriting = false;
    writeNext();
  });

  const writeNext = (): void => {
    if (isWriting) return;
    if (isLost) {
      batches.length = 0;
      waitingBytes = 0;
    }
    if (batches.length === 1 && isPatient && flushed.length === 0) return;
    const batch = batches.shift();
    if (batch === undefined) {
      for (const resolve of flushed.splice(0)) resolve();
      return;
    }
    isWriting = true;
    waitingBytes -= Buffer.byteLength(batch);
    output.write(batch, () => {
      isWriting = false;
      writeNext();
    });
    tellLost();
  };

  const tellLost = (): void => {
    if (lostLines === 0 || waitingBytes > MOST_WAITING_BYTES / 2) return;
    const lines = lostLines;
    lostLines = 0;
    onLost?.(lines);
  };

  const endWait = (): void => {
    clearTimeout(timer);
    isPatient = false;
    writeNext();
  };

  const add = (line: string): void => {
    const bytes = Buffer.byteLength(line);
    if (waitingBytes + bytes > MOST_WAITING_BYTES) {
      lostLines += 1;
      return;
    }
    waitingBytes += bytes;
    const last = batches.at(-1);
    if (last !== undefined && lastBytes + bytes <= MAX_WRITE_BYTES) {
      batches[batches.length - 1] = last + line;
      lastBytes += bytes;
      return;
    }
    batches.push(line);
    lastBytes = bytes;
    isPatient = true;
    clearTimeout(timer);
    timer = setTimeout(endWait, maxWaitMs);
  };

  return {
    write(line) {
      add(line);
      endWait();
    },
    append(line) {
      add(line);
      if (maxWaitMs === 0) endWait();
      else writeNext();
    },
    flush: () =>
      new Promise((resolve) => {
        flushed.push(resolve);
        endWait();
      }),
  };
}
