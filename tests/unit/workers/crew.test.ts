import { type Worker } from 'node:cluster';
import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import { createLogger } from '../../../src/observability/logger';
import { createCrew, type Crew } from '../../../src/workers/crew';
import { type PrimaryMessage } from '../../../src/workers/messages';

const ADDRESS = { address: '127.0.0.1', family: 'IPv4', port: 3005 };

/** A worker process without a process. */
class FakeWorker extends EventEmitter {
  readonly told: PrimaryMessage[] = [];
  readonly killed: string[] = [];
  readonly process = Object.assign(new EventEmitter(), {
    pid: undefined as number | undefined,
    kill: (signal: string) => this.killed.push(signal),
  });
  private isOver = false;

  constructor(readonly id: number) {
    super();
    this.process.pid = 1_000 + id;
  }

  isConnected(): boolean {
    return !this.isOver;
  }

  send(message: PrimaryMessage): void {
    this.told.push(message);
  }

  listen(): void {
    this.emit('message', { kind: 'listening', address: ADDRESS, isRedisUp: false });
  }

  leave(): void {
    this.emit('message', { kind: 'stopping' });
  }

  end(code: number | null, signal: string | null = null, connectionsCut = 0): void {
    if (code === 0) this.emit('message', { kind: 'stopped', connectionsCut });
    this.isOver = true;
    this.process.emit('close', code, signal);
  }
}

describe('createCrew()', () => {
  let forked: FakeWorker[];
  let log: Record<string, unknown>[];
  let failures: number;

  beforeEach(() => {
    jest.useFakeTimers();
    forked = [];
    log = [];
    failures = 0;
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const start = (size = 2): Crew =>
    createCrew({
      size,
      drainTimeoutMs: 25_000,
      logger: createLogger({
        level: 'debug',
        format: 'json',
        stream: new Writable({
          write(line: Buffer, _encoding, done) {
            log.push(JSON.parse(line.toString()) as Record<string, unknown>);
            done();
          },
        }),
      }),
      fork() {
        if (failures > 0) {
          failures -= 1;
          throw new Error('spawn ENOMEM');
        }
        const worker = new FakeWorker(forked.length + 1);
        forked.push(worker);
        return worker as unknown as Worker;
      },
      onMessage: () => undefined,
    });

  /** Settled promises have been looked at. */
  const settle = (): Promise<void> => jest.advanceTimersByTimeAsync(0);
  const linesOf = (message: string) => log.filter((line) => line.message === message);

  it('is complete when all workers listen', () => {
    const crew = start();
    expect(forked).toHaveLength(2);
    forked[0]!.listen();
    expect(crew.isComplete()).toBe(false);
    forked[1]!.listen();
    expect(crew.isComplete()).toBe(true);
    expect(crew.findAccepting()).toBe(forked[0]);
    expect(linesOf('worker started')).toMatchObject([{ worker: 1, pid: 1_001 }, { worker: 2 }]);
  });

  it('replaces at once a worker that died, and says how it died', () => {
    const crew = start();
    for (const worker of forked) worker.listen();
    forked[0]!.end(null, 'SIGKILL');
    expect(forked).toHaveLength(3);
    expect(crew.isComplete()).toBe(false);
    expect(linesOf('worker died')).toMatchObject([
      { level: 'error', worker: 1, pid: 1_001, code: null, signal: 'SIGKILL' },
    ]);
    forked[2]!.listen();
    expect(crew.isComplete()).toBe(true);
  });

  it('replaces a worker that leaves while it still drains', async () => {
    const crew = start();
    for (const worker of forked) worker.listen();
    forked[0]!.leave();
    await jest.advanceTimersByTimeAsync(100);
    expect(forked).toHaveLength(3);
    expect(crew.findAccepting()).toBe(forked[1]);
    forked[0]!.end(1);
    expect(forked).toHaveLength(3);
    expect(linesOf('worker died')).toMatchObject([{ worker: 1, code: 1 }]);
  });

  it('takes a worker that was told to go for no failure', () => {
    start();
    forked[0]!.listen();
    forked[0]!.leave();
    forked[0]!.end(0);
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
    expect(linesOf('worker ended')).toMatchObject([{ level: 'info', worker: 1, code: 0 }]);
  });

  it('replaces nobody who leaves because all are told to', async () => {
    const crew = start();
    for (const worker of forked) worker.listen();
    for (const worker of forked) worker.leave();
    const { ended } = crew.stop('SIGTERM');
    for (const worker of forked) worker.end(0);
    await ended;
    await jest.advanceTimersByTimeAsync(1_000);
    expect(forked).toHaveLength(2);
  });

  it('never has more workers leaving than places', async () => {
    start();
    for (let turn = 0; turn < 10; turn += 1) {
      const worker = forked[turn];
      worker?.listen();
      worker?.leave();
      await jest.advanceTimersByTimeAsync(100);
    }
    expect(forked).toHaveLength(4);
    forked[0]!.end(1);
    expect(forked).toHaveLength(5);
  });

  it('waits before it starts again what died before it listened, longer each time', async () => {
    start(1);
    const waits: number[] = [];
    for (let turn = 0; turn < 7; turn += 1) {
      forked[turn]!.end(1);
      const { retryInMs } = log.at(-1) as { retryInMs: number };
      waits.push(retryInMs);
      await jest.advanceTimersByTimeAsync(retryInMs - 1);
      expect(forked).toHaveLength(turn + 1);
      await jest.advanceTimersByTimeAsync(1);
      expect(forked).toHaveLength(turn + 2);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(linesOf('worker died before it listened')).toHaveLength(7);
    expect(log.every(({ level }) => level === 'error')).toBe(true);
  });

  it('begins with a short wait again after a worker has listened', async () => {
    start(1);
    forked[0]!.end(1);
    await jest.advanceTimersByTimeAsync(1_000);
    forked[1]!.end(1);
    await jest.advanceTimersByTimeAsync(2_000);
    forked[2]!.listen();
    forked[2]!.end(null, 'SIGSEGV');
    expect(forked).toHaveLength(4);
    forked[3]!.end(1);
    expect(log.at(-1)).toMatchObject({ retryInMs: 1_000 });
  });

  it('tries again later when no process can be started', async () => {
    failures = 2;
    start(2);
    expect(forked).toHaveLength(0);
    expect(log).toMatchObject([
      { level: 'error', reason: 'Error: spawn ENOMEM', retryInMs: 1_000 },
      { level: 'error' },
    ]);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(forked).toHaveLength(2);
  });

  it('goes on when a worker has no process, and says so', async () => {
    start(1);
    forked[0]!.process.pid = undefined;
    forked[0]!.emit('error', new Error('spawn EAGAIN'));
    expect(log).toMatchObject([{ reason: 'spawn EAGAIN' }, { level: 'error', retryInMs: 1_000 }]);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(forked).toHaveLength(2);
  });

  describe('when it stops', () => {
    it('tells all, is quiet when none accepts, and ends with the last', async () => {
      const crew = start();
      forked[0]!.listen();
      const { quiet, ended } = crew.stop('SIGTERM');
      const seen: unknown[] = [];
      void quiet.then(() => seen.push('quiet'));
      void ended.then((cut) => seen.push(cut));
      expect(forked.map(({ told }) => told)).toEqual(
        Array(2).fill([{ kind: 'stop', reason: 'SIGTERM' }]),
      );
      await settle();
      expect(seen).toEqual([]);

      forked[0]!.leave();
      await settle();
      expect(seen).toEqual(['quiet']);

      forked[0]!.end(0, null, 3);
      await settle();
      expect(seen).toEqual(['quiet']);
      forked[1]!.end(0, null, 4);
      await settle();
      expect(seen).toEqual(['quiet', 7]);
      expect(forked).toHaveLength(2);
      expect(log.filter(({ level }) => level === 'error')).toEqual([]);
    });

    it('starts nobody any more', async () => {
      const crew = start();
      forked[0]!.end(1);
      const { ended } = crew.stop('SIGTERM');
      forked[1]!.end(null, 'SIGTERM');
      await ended;
      await jest.advanceTimersByTimeAsync(60_000);
      expect(forked).toHaveLength(2);
    });

    it('kills who is still there some seconds after the drain', async () => {
      const crew = start(1);
      forked[0]!.listen();
      crew.stop('SIGTERM');
      await jest.advanceTimersByTimeAsync(29_999);
      expect(forked[0]!.killed).toEqual([]);
      await jest.advanceTimersByTimeAsync(1);
      expect(forked[0]!.killed).toEqual(['SIGKILL']);
      expect(linesOf('worker does not end: it is killed')).toHaveLength(1);
    });
  });
});
