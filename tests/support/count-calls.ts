/**
 * Runs before the service, in its process: counts what a request costs, and holds the clock still.
 *
 * Compiled alone and loaded by `node --require`, so it imports types and Node's own modules only.
 * The service is not changed by it: calls are passed on as they are.
 */
import crypto from 'node:crypto';
import { subscribe } from 'node:diagnostics_channel';
import fs from 'node:fs';
import { type ServerResponse } from 'node:http';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

/** What the service did since it was last asked. */
export interface Calls {
  /** files and folders opened, or tried */
  opens: number;
  /** looks at what lies under a path or behind a handle */
  stats: number;
  /** links and real paths resolved */
  links: number;
  reads: number;
  /** all other calls of node:fs by name; closing is free */
  otherFiles: Record<string, number>;
  /** signatures computed or verified */
  signatures: number;
  digests: number;
  /** commands sent to Redis by name */
  redis: Record<string, number>;
  /** lines on standard output */
  lines: number;
  /** the writes that took them there */
  writes: number;
}

/** Lets the clock go on, waits until the service has nothing left to do, and asks for its calls. */
export interface Question {
  readonly id: number;
  readonly advanceMs: number;
  /** whether to count from zero again */
  readonly isFinal: boolean;
}

export interface Reply {
  readonly id: number;
  readonly calls: Calls;
}

type Callable = (this: unknown, ...args: unknown[]) => unknown;
type Counter = 'opens' | 'stats' | 'links' | 'reads' | 'signatures' | 'digests';

/** Turns of the event loop without work in them, after which nothing more is expected. */
const QUIET_TURNS = 10;

const COUNTED_FS: readonly (readonly [RegExp, Counter | 'free'])[] = [
  [/^open(?:dir)?(?:Sync)?$/, 'opens'],
  [/^[lf]?stat(?:Sync)?$/, 'stats'],
  [/^(?:readlink|realpath)(?:Sync)?$/, 'links'],
  [/^readv?(?:Sync)?$/, 'reads'],
  // these come down to others of this list, or are none
  [/^(?:close(?:Sync)?|(?:create)?(?:Read|Write)Stream|_toUnixTimestamp|(?:un)?watch.*)$/, 'free'],
];

const HANDLE_CALLS = ['stat', 'read', 'readv', 'readFile', 'write', 'writeFile'];

let calls = nothing();
/** what was begun and is not over: file calls, Redis commands, exchanges */
let underWay = 0;

if (isMainThread) count();

function count(): void {
  const clock = holdClock();
  withoutWatches();
  countFiles();
  for (const name of ['createHmac', 'createSign', 'createVerify', 'sign', 'verify']) {
    wrap(crypto, name, () => (calls.signatures += 1));
  }
  for (const name of ['hash', 'createHash']) wrap(crypto, name, () => (calls.digests += 1));
  syncBuiltinESMExports();
  countRedis();
  countLines();
  subscribe('http.server.request.start', (message) => {
    underWay += 1;
    const { response } = message as { response: ServerResponse };
    response.once('close', () => (underWay -= 1));
  });
  process.on('message', ({ id, advanceMs, isFinal }: Question) => {
    void clock.advance(advanceMs).then(() => {
      process.send?.({ id, calls } satisfies Reply);
      if (isFinal) calls = nothing();
    });
  });
  process.channel?.unref();
}

function nothing(): Calls {
  return {
    opens: 0,
    stats: 0,
    links: 0,
    reads: 0,
    otherFiles: {},
    signatures: 0,
    digests: 0,
    redis: {},
    lines: 0,
    writes: 0,
  };
}

/** What the catalogue does when a file is new is no cost of a request. */
function withoutWatches(): void {
  fs.watch = () => {
    throw Object.assign(new Error('no watches here'), { code: 'ENOSPC' });
  };
}

function countFiles(): void {
  const wrapAll = (module: object): void => {
    for (const [name, value] of Object.entries(module)) {
      if (typeof value === 'function' && !/^[A-Z]/.test(name)) countFileCall(module, name);
    }
  };
  wrapAll(fs);
  wrapAll(fs.promises);
  // the prototype of all handles is shown by the first
  const { open } = fs.promises;
  let areHandlesCounted = false;
  fs.promises.open = async (...args) => {
    const handle = await open(...args);
    if (areHandlesCounted) return handle;
    areHandlesCounted = true;
    const prototype = Object.getPrototypeOf(handle) as object;
    for (const name of HANDLE_CALLS) countFileCall(prototype, name);
    return handle;
  };
}

function countFileCall(owner: object, name: string): void {
  const kind = COUNTED_FS.find(([names]) => names.test(name))?.[1];
  wrap(owner, name, () => {
    if (kind === undefined) add(calls.otherFiles, name);
    else if (kind !== 'free') calls[kind] += 1;
  });
}

function countRedis(): void {
  const requireOfService = createRequire(process.argv[1] ?? '');
  const { Redis } = requireOfService('ioredis') as { Redis: { prototype: object } };
  wrap(Redis.prototype, 'sendCommand', ([command]) => {
    add(calls.redis, (command as { name: string }).name.toLowerCase());
  });
}

function countLines(): void {
  wrap(process.stdout, 'write', ([text]) => {
    calls.writes += 1;
    calls.lines += String(text).split('\n').length - 1;
  });
}

function add(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

/** Has a function noted before it runs, and as under way until its callback or its promise. */
function wrap(owner: object, name: string, note: (args: readonly unknown[]) => void): void {
  const original = (owner as Record<string, Callable>)[name];
  if (!original) throw new Error(`there is no ${name} to count`);
  const wrapper: Callable = function (...args) {
    note(args);
    const callback = args.at(-1);
    if (typeof callback === 'function') {
      underWay += 1;
      args[args.length - 1] = function (this: unknown, ...results: unknown[]): unknown {
        underWay -= 1;
        return (callback as Callable).apply(this, results);
      };
    }
    const result = original.apply(this, args);
    if (result instanceof Promise) {
      underWay += 1;
      const end = (): void => {
        underWay -= 1;
      };
      result.then(end, end);
    }
    return result;
  };
  // fs.realpath.native, and what util.promisify looks for
  for (const key of Reflect.ownKeys(original)) {
    if (!(key in wrapper)) {
      Object.defineProperty(wrapper, key, Object.getOwnPropertyDescriptor(original, key) ?? {});
    }
  }
  Object.defineProperty(owner, name, { value: wrapper, configurable: true, writable: true });
}

interface Timer {
  dueAt: number;
  readonly periodMs: number | undefined;
  readonly run: () => void;
}

/**
 * The clocks and timers that JavaScript sees stand still until told to go on, so that no count
 * depends on how busy the machine is. Those inside Node, of connections, run as ever.
 */
function holdClock(): { advance(ms: number): Promise<void> } {
  const { setImmediate: realImmediate } = globalThis;
  const bases = { date: Date.now(), performance: Math.round(performance.now()) };
  let nowMs = 0;
  const timers = new Set<Timer>();
  Date.now = () => bases.date + nowMs;
  performance.now = () => bases.performance + nowMs;

  const start = (
    run: (...args: unknown[]) => void,
    ms: number,
    args: unknown[],
    isRepeated: boolean,
  ): unknown => {
    const waitMs = Math.max(1, ms);
    const timer = {
      dueAt: nowMs + waitMs,
      periodMs: isRepeated ? waitMs : undefined,
      run: () => {
        run(...args);
      },
      ref: () => timer,
      unref: () => timer,
      hasRef: () => true,
      refresh: () => {
        timer.dueAt = nowMs + waitMs;
        timers.add(timer);
        return timer;
      },
    };
    timers.add(timer);
    return timer;
  };
  const stop = (timer: unknown): void => {
    timers.delete(timer as Timer);
  };
  Object.assign(globalThis, {
    setTimeout: (run: () => void, ms = 1, ...args: unknown[]) => start(run, ms, args, false),
    setInterval: (run: () => void, ms = 1, ...args: unknown[]) => start(run, ms, args, true),
    clearTimeout: stop,
    clearInterval: stop,
  });

  const quiet = async (): Promise<void> => {
    for (let turns = 0; turns < QUIET_TURNS; turns += 1) {
      if (underWay > 0 || process.stdout.writableLength > 0) turns = 0;
      await new Promise((resolve) => realImmediate(resolve));
    }
  };

  return {
    async advance(ms) {
      await quiet();
      const end = nowMs + ms;
      for (;;) {
        const [next] = [...timers].sort((a, b) => a.dueAt - b.dueAt);
        if (!next || next.dueAt > end) break;
        nowMs = next.dueAt;
        if (next.periodMs === undefined) timers.delete(next);
        else next.dueAt += next.periodMs;
        next.run();
        await quiet();
      }
      nowMs = end;
      await quiet();
    },
  };
}
