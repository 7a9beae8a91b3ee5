import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type AudioFormat } from '../../services/audio-format';
import { type FromWorker, type Result, type ToWorker, type Wanted } from './worker-messages';

/** A parse gave nothing, and not because of what the track says: another try may give something. */
export class TagReadingFailed extends Error {
  override readonly name = 'TagReadingFailed';

  constructor(
    readonly reason: 'timeout' | 'crashed' | 'unreadable' | 'closed',
    options?: ErrorOptions,
  ) {
    super(`tags could not be read: ${reason}`, options);
  }
}

/** One track, and how to read it. */
export interface ParseJob {
  readonly sizeBytes: number;
  readonly format: AudioFormat;
  /** Bytes in a buffer of their own, which is given away; whatever it rejects with ends the parse. */
  readonly readBytes: (
    position: number,
    lengthBytes: number,
    signal: AbortSignal,
  ) => Promise<Uint8Array<ArrayBuffer>>;
}

/** A thread that parses one track after the other. */
export interface WorkerThread {
  readonly isAlive: () => boolean;
  /** resolves when the thread is gone, for whatever reason */
  readonly ended: Promise<void>;
  /**
   * Parses one track for what is wanted; none may be running.
   *
   * When it settles no read of the track is running any more.
   *
   * @throws TagReadingFailed after which the thread is gone, except when the store could not read, or when
   *   the thread was still loading
   */
  parse<W extends Wanted>(wanted: W, job: ParseJob): Promise<Result[W]>;
  /** Resolves when the thread is gone; what it was doing is rejected with the reason. */
  end(reason: 'timeout' | 'closed'): Promise<void>;
}

export interface WorkerThreadOptions {
  /** compiled, or `.ts` where the sources run as they are */
  readonly file: string;
  /** wall clock for one track, from when the thread has loaded */
  readonly timeoutMs: number;
  /** wall clock that a track waits for a thread that loads */
  readonly startTimeoutMs: number;
}

const HEAP_MB = 128;
// What a parse leaves behind is garbage at once; with V8's own 48 MB a thread is 25 MB larger.
const YOUNG_HEAP_MB = 6;

interface Conversation {
  readonly receive: (message: FromWorker) => void;
  readonly lose: (failure: TagReadingFailed) => void;
}

/** Starts a thread. It keeps the process alive only while it parses. */
export function startWorkerThread({
  file,
  timeoutMs,
  startTimeoutMs,
}: WorkerThreadOptions): WorkerThread {
  const worker = createWorker(file);
  let current: Conversation | undefined;
  let failure: TagReadingFailed | undefined;
  let isLoaded = false;

  function lose(reason: TagReadingFailed): void {
    failure ??= reason;
    current?.lose(failure);
  }
  worker.on('message', (message: FromWorker) => {
    current?.receive(message);
  });
  worker.on('error', (cause) => {
    lose(new TagReadingFailed('crashed', { cause }));
  });
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      lose(new TagReadingFailed('crashed'));
      resolve();
    });
  });
  /** resolves when there is nothing more to wait for: it has loaded, or is gone */
  const loading = new Promise<void>((resolve) => {
    worker.once('message', () => {
      isLoaded = true;
      resolve();
    });
    void ended.then(resolve);
  });

  async function end(reason: 'timeout' | 'closed'): Promise<void> {
    failure ??= new TagReadingFailed(reason);
    worker.ref();
    // Node 20 may abort the whole process when a thread ends while require() links an ES module
    await loading;
    await worker.terminate();
  }

  async function untilLoaded(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new TagReadingFailed('timeout'));
      }, startTimeoutMs);
      void loading.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async function parse<W extends Wanted>(wanted: W, job: ParseJob): Promise<Result[W]> {
    const reads = answerReads(worker, job);
    worker.ref();
    let timer: NodeJS.Timeout | undefined;
    try {
      if (!isLoaded) await untilLoaded();
      timer = setTimeout(() => void end('timeout'), timeoutMs);
      const result = await new Promise<Result[W]>((resolve, reject) => {
        current = {
          lose: reject,
          receive(message) {
            if (message.kind === 'read') reads.answer(message.position, message.lengthBytes);
            // the worker answers what it was asked for
            if (message.kind === 'parsed') resolve(message[wanted] as Result[W]);
          },
        };
        if (failure) reject(failure);
        post(worker, { kind: 'parse', wanted, sizeBytes: job.sizeBytes, format: job.format });
      });
      reads.assertNoneFailed();
      return result;
    } finally {
      clearTimeout(timer);
      current = undefined;
      // idle threads must not keep the process alive; one that is being ended must, or nobody sees its end
      if (!failure) worker.unref();
      await reads.stop();
    }
  }

  return { isAlive: () => failure === undefined, ended, parse, end };
}

function createWorker(file: string): Worker {
  return new Worker(file, {
    // a thread that reads what strangers wrote needs no secrets
    env: {},
    resourceLimits: {
      maxOldGenerationSizeMb: HEAP_MB,
      maxYoungGenerationSizeMb: YOUNG_HEAP_MB,
    },
    ...(extname(file) === '.ts'
      ? { execArgv: ['--require', require.resolve('ts-node/register/transpile-only')] }
      : {}),
  });
}

function post(worker: Worker, message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
  worker.postMessage(message, transfer);
}

interface ReadAnswers {
  answer(position: number, lengthBytes: number): void;
  /** @throws TagReadingFailed: tags made from half a track are worth nothing */
  assertNoneFailed(): void;
  /** ends the read that is running, and waits for its end */
  stop(): Promise<void>;
}

function answerReads(worker: Worker, job: ParseJob): ReadAnswers {
  const aborter = new AbortController();
  let running = Promise.resolve();
  let failure: TagReadingFailed | undefined;

  async function answerOne(position: number, lengthBytes: number): Promise<void> {
    try {
      if (failure) throw failure;
      const bytes = await job.readBytes(position, lengthBytes, aborter.signal);
      post(worker, { kind: 'bytes', bytes }, [bytes.buffer]);
    } catch (cause) {
      failure ??= new TagReadingFailed('unreadable', { cause });
      post(worker, { kind: 'unreadable' });
    }
  }

  return {
    answer(position, lengthBytes) {
      running = answerOne(position, lengthBytes);
    },
    assertNoneFailed() {
      if (failure) throw failure;
    },
    async stop() {
      aborter.abort();
      await running;
    },
  };
}
