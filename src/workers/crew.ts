import { type Worker } from 'node:cluster';
import { setTimeout as delay } from 'node:timers/promises';
import { type Logger } from '../observability/logger';
import { type PrimaryMessage, type WorkerMessage } from './messages';

/** As many workers as were asked for, whatever becomes of each. */
export interface Crew {
  /** @returns a worker that accepts connections, if there is one */
  findAccepting(): Worker | undefined;
  /** Whether all of them accept connections. */
  isComplete(): boolean;
  /** Stops all workers for good; call it once. */
  stop(reason: string): CrewStopping;
}

export interface CrewStopping {
  /** settles when no worker accepts connections, or after a second */
  readonly quiet: Promise<void>;
  /** settles when the last worker has ended, with how many connections they had to cut */
  readonly ended: Promise<number>;
}

export interface CrewOptions {
  readonly size: number;
  /** Starts a process; may throw when the machine has no more to give. */
  readonly fork: () => Worker;
  readonly drainTimeoutMs: number;
  readonly logger: Logger;
  /** Called after the crew itself has taken note. */
  readonly onMessage: (worker: Worker, message: WorkerMessage) => void;
}

/** What dies before it listens will do so again: it is started after 1 s, then 2, then 4. */
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** Told to stop with all of its process group, a worker may say so before we hear of it. */
const GROUP_SIGNAL_MS = 100;
/** What a worker may take to end after its connections were cut. */
const KILL_GRACE_MS = 5_000;
const QUIET_TIMEOUT_MS = 1_000;
/** setTimeout fires at once beyond this */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One of the workers that were asked for; the processes that fill it come and go. */
interface Place {
  /** none while a start waits for its time */
  holder?: Member;
  /** starts that failed, one after the other */
  failures: number;
  startTimer?: NodeJS.Timeout;
}

interface Member {
  readonly worker: Worker;
  readonly place: Place;
  state: 'starting' | 'accepting' | 'leaving';
  killTimer?: NodeJS.Timeout;
}

/**
 * Starts workers and keeps their number. One that leaves, for whatever reason, is replaced while it
 * still drains; but never do more of them leave than there are places.
 */
export function createCrew({ size, fork, drainTimeoutMs, logger, onMessage }: CrewOptions): Crew {
  const places = Array.from({ length: size }, (): Place => ({ failures: 0 }));
  const members = new Set<Member>();
  const watchers = new Set<() => void>();
  let isStopping = false;
  let connectionsCut = 0;

  function fill(): void {
    for (const place of places) {
      const isVacant = !place.holder && !place.startTimer;
      if (isVacant && !isStopping && members.size < 2 * size) start(place);
    }
    notify();
  }

  /** Somebody may wait for what has just changed. */
  function notify(): void {
    for (const watch of [...watchers]) watch();
  }

  function start(place: Place): void {
    try {
      enlist(fork(), place);
    } catch (error) {
      startLater(place, { reason: String(error) });
    }
  }

  function enlist(worker: Worker, place: Place): void {
    const member: Member = { worker, place, state: 'starting' };
    place.holder = member;
    members.add(member);
    worker.on('message', (message: WorkerMessage) => {
      follow(member, message);
      onMessage(worker, message);
    });
    worker.on('error', (error) => {
      logger.warn('trouble with a worker', { worker: worker.id, reason: error.message });
      // a process that could not be started has no other end than this
      if (worker.process.pid === undefined) bury(member, null, null);
    });
    // not at its exit: its last words are read after that
    worker.process.once('close', (code, signal) => {
      bury(member, code, signal);
    });
  }

  function follow(member: Member, message: WorkerMessage): void {
    const { worker, place } = member;
    if (message.kind === 'listening') {
      member.state = 'accepting';
      place.failures = 0;
      logger.info('worker started', { worker: worker.id, pid: worker.process.pid });
    } else if (message.kind === 'stopping') {
      member.state = 'leaving';
      delete place.holder;
      limit(member);
      fillLater(place, GROUP_SIGNAL_MS);
      notify();
    } else if (message.kind === 'stopped') {
      connectionsCut += message.connectionsCut;
    }
  }

  /** A worker cuts its connections when the drain is over; one that is stuck does not. */
  function limit(member: Member): void {
    const { worker } = member;
    member.killTimer ??= setTimeout(
      () => {
        logger.error('worker does not end: it is killed', { worker: worker.id });
        worker.process.kill('SIGKILL');
      },
      Math.min(drainTimeoutMs + KILL_GRACE_MS, MAX_TIMER_MS),
    );
  }

  function bury(member: Member, code: number | null, signal: string | null): void {
    if (!members.delete(member)) return;
    clearTimeout(member.killTimer);
    const { place, worker, state } = member;
    if (place.holder === member) delete place.holder;
    const details = { worker: worker.id, pid: worker.process.pid, code, signal };

    if (isStopping && (state === 'starting' || code === 0)) logger.debug('worker ended', details);
    else if (state === 'starting') startLater(place, details);
    else if (state === 'leaving' && code === 0) logger.info('worker ended', details);
    else logger.error('worker died', details);
    fill();
  }

  function startLater(place: Place, details: object): void {
    const retryInMs = Math.min(FIRST_RETRY_MS * 2 ** place.failures, MAX_RETRY_MS);
    place.failures += 1;
    logger.error('worker died before it listened', { ...details, retryInMs });
    fillLater(place, retryInMs);
  }

  function fillLater(place: Place, delayMs: number): void {
    place.startTimer = setTimeout(() => {
      delete place.startTimer;
      fill();
    }, delayMs);
  }

  /** Settles when the claim holds; it is looked at after each change. */
  function until(claim: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const watch = (): void => {
        if (!claim()) return;
        watchers.delete(watch);
        resolve();
      };
      watchers.add(watch);
      watch();
    });
  }

  fill();

  return {
    findAccepting: () =>
      // one that has died is a member until its last words are read
      [...members].find((member) => isAccepting(member) && member.worker.isConnected())?.worker,
    isComplete: () => [...members].filter(isAccepting).length === size,
    stop(reason) {
      isStopping = true;
      for (const { startTimer } of places) clearTimeout(startTimer);
      for (const member of members) {
        tell(member.worker, { kind: 'stop', reason });
        limit(member);
      }
      const areQuiet = until(() => ![...members].some(isAccepting));
      return {
        quiet: Promise.race([areQuiet, delay(QUIET_TIMEOUT_MS, undefined, { ref: false })]),
        ended: until(() => members.size === 0).then(() => connectionsCut),
      };
    },
  };
}

/** Says something to a worker that may be gone by now. */
export function tell(worker: Worker, message: PrimaryMessage): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}

function isAccepting({ state }: Member): boolean {
  return state === 'accepting';
}
