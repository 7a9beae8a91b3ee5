import { join } from 'node:path';
import { type Readable } from 'node:stream';
import { AppError } from '../errors';
import { type AudioFormat } from '../services/audio-format';
import { type TrackTags } from './tags/track-tags';
import { type EmbeddedPicture, type Result, type Wanted } from './tags/worker-messages';
import { startWorkerThread, TagReadingFailed, type WorkerThread } from './tags/worker-thread';

export { TagReadingFailed };
export type { EmbeddedPicture } from './tags/worker-messages';
export type { ReplayGainTags, TrackAudio, TrackTags, TrackText } from './tags/track-tags';

/** The part of an open track that tags are read through. */
export interface TagSource {
  readonly sizeBytes: number;
  read(
    range: { readonly firstPos: number; readonly lastPos: number },
    signal?: AbortSignal,
  ): Readable;
}

/** Reads tags in threads of its own, so that no file can block or kill the service. */
export interface TagReader {
  /**
   * Reads the tags of a track. It must stay open until this settles, and no read of it is running
   * then.
   *
   * @param format by which the track is parsed
   * @throws TagReadingFailed when the parse took too long, crashed, or the store could not read;
   *   AppError `overloaded` when too many tracks are waiting, or after `close()`
   */
  read(track: TagSource, format: AudioFormat): Promise<TrackTags>;
  /**
   * Reads tags for nobody who waits: one track at a time, and only while a thread is free that no
   * listener wants. All else is as with {@link TagReader.read}, but any number may wait.
   */
  readBehind(track: TagSource, format: AudioFormat): Promise<TrackTags>;
  /**
   * Reads the picture in the tags of a track that shows it best, at most 10 MB of a kind that is
   * served; undefined without one. All else is as with {@link TagReader.read}.
   */
  readPicture(track: TagSource, format: AudioFormat): Promise<EmbeddedPicture | undefined>;
  /** Ends all threads; what is running or waiting is rejected. */
  close(): Promise<void>;
}

export interface TagReaderOptions {
  /** wall clock for one track, 2000 by default */
  readonly timeoutMs?: number;
  /** wall clock that a track waits for a thread that loads, 20,000 by default */
  readonly startTimeoutMs?: number;
  /** tracks that may wait for a thread, 256 by default */
  readonly mostWaiting?: number;
  /** another thread's file, for tests */
  readonly workerFile?: string;
}

// Parsing is work for a processor, and the service has others to do.
const MOST_THREADS = 2;
// Loading the parsers was measured at 0.15 s compiled and 1 s from the sources, on an idle machine.
const START_TIMEOUT_MS = 20_000;

/** Threads are started when they are first needed, kept, and replaced when they had to be ended. */
export function createTagReader(options: TagReaderOptions = {}): TagReader {
  const {
    timeoutMs = 2000,
    startTimeoutMs = START_TIMEOUT_MS,
    mostWaiting = 256,
    workerFile = besideThisFile(),
  } = options;
  /** each with what is to happen once its parse is over, or it is gone */
  const threads = new Map<WorkerThread, (() => void) | undefined>();
  const idle: WorkerThread[] = [];
  const waiting: Turn[] = [];
  const waitingBehind: Turn[] = [];
  let isRunningBehind = false;
  let running = 0;
  let isClosed = false;

  function assertOpen(): void {
    if (isClosed) throw closing();
  }

  async function takeTurn(): Promise<void> {
    if (running < MOST_THREADS) {
      running += 1;
      return;
    }
    if (waiting.length >= mostWaiting) {
      throw new AppError('overloaded', 'Too many tracks are being read; try again in a moment');
    }
    await new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
  }

  async function takeTurnBehind(): Promise<void> {
    if (running < MOST_THREADS && !isRunningBehind) {
      running += 1;
      isRunningBehind = true;
      return;
    }
    await new Promise<void>((resolve, reject) => waitingBehind.push({ resolve, reject }));
  }

  function passTurn(): void {
    const next = waiting.shift();
    if (next) {
      next.resolve();
      return;
    }
    const nextBehind = isRunningBehind ? undefined : waitingBehind.shift();
    if (nextBehind) {
      isRunningBehind = true;
      nextBehind.resolve();
    } else {
      running -= 1;
    }
  }

  function passTurnBehind(): void {
    isRunningBehind = false;
    passTurn();
  }

  function takeThread(): WorkerThread {
    const kept = idle.pop();
    if (kept?.isAlive()) return kept;
    const thread = startWorkerThread({ file: workerFile, timeoutMs, startTimeoutMs });
    threads.set(thread, undefined);
    // one handler for its whole life: a promise keeps all that was ever asked of it
    void thread.ended.then(() => {
      leave(thread);
      threads.delete(thread);
    });
    return thread;
  }

  function leave(thread: WorkerThread): void {
    const passOn = threads.get(thread);
    if (!passOn) return;
    threads.set(thread, undefined);
    if (thread.isAlive()) idle.push(thread);
    passOn();
  }

  async function parse<W extends Wanted>(
    wanted: W,
    track: TagSource,
    format: AudioFormat,
    isBehind = false,
  ): Promise<Result[W]> {
    assertOpen(); // a turn taken after the end would never be passed on
    await (isBehind ? takeTurnBehind() : takeTurn());
    assertOpen();
    const thread = takeThread();
    const parsing = thread.parse(wanted, {
      sizeBytes: track.sizeBytes,
      format,
      readBytes: (position, lengthBytes, signal) => readBytes(track, position, lengthBytes, signal),
    });
    // A store may hang in a read that cannot be ended; the turn passes on when the thread is gone.
    threads.set(thread, isBehind ? passTurnBehind : passTurn);
    const isOver = (): void => {
      leave(thread);
    };
    void parsing.then(isOver, isOver);
    return parsing;
  }

  async function close(): Promise<void> {
    isClosed = true;
    for (const { reject } of [...waiting.splice(0), ...waitingBehind.splice(0)]) reject(closing());
    await Promise.all([...threads.keys()].map((thread) => thread.end('closed')));
  }

  return {
    read: (track, format) => parse('tags', track, format),
    readBehind: (track, format) => parse('tags', track, format, true),
    readPicture: (track, format) => parse('picture', track, format),
    close,
  };
}

interface Turn {
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

function closing(): AppError {
  return new AppError('overloaded', 'The service is shutting down');
}

/** The worker has the extension of this file: compiled it is `.js`, from the sources `.ts`. */
function besideThisFile(): string {
  return join(__dirname, `tag-reader-worker${__filename.endsWith('.ts') ? '.ts' : '.js'}`);
}

async function readBytes(
  track: TagSource,
  position: number,
  lengthBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(lengthBytes);
  const range = { firstPos: position, lastPos: position + lengthBytes - 1 };
  let filledBytes = 0;
  for await (const chunk of track.read(range, signal) as AsyncIterable<Uint8Array>) {
    bytes.set(chunk, filledBytes);
    filledBytes += chunk.length;
  }
  if (filledBytes < lengthBytes) throw new Error('the track has shrunk while it was read');
  return bytes;
}
