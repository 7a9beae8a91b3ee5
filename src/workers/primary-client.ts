import { type SharedAdmissions } from '../services/shared-admissions';
import { type SharedCount, type SharedCounter } from '../services/shared-counter';
import { type Answer, type PrimaryMessage, type Question, type WorkerMessage } from './messages';

/** The primary cannot help now; callers do without it. Never reaches a client. */
export class PrimaryUnavailable extends Error {
  override readonly name = 'PrimaryUnavailable';
}

/** The way from a worker to its primary and back. */
export interface Channel {
  send(message: WorkerMessage): void;
  onMessage(listener: (message: PrimaryMessage) => void): void;
  /** Calls back when the primary is gone. */
  onGone(listener: () => void): void;
}

/** The primary as a worker sees it. */
export interface PrimaryClient {
  readonly counter: SharedCounter;
  readonly admissions: SharedAdmissions;
  /** settles with the reason when the primary wants this worker to stop, or is gone */
  readonly stopRequest: Promise<string>;
}

export interface PrimaryClientOptions {
  readonly channel: Channel;
  /** called when an answer was late, at most once a second */
  readonly onLate?: () => void;
}

export const PRIMARY_GONE = 'the primary is gone';

/** As long as a request waits for Redis. */
const REPLY_TIMEOUT_MS = 200;
/** After a late answer nobody asks for so long: requests must not queue up before a primary that hangs. */
const PAUSE_MS = 1_000;

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: PrimaryUnavailable) => void;
}

/** Asks the primary: bounded in time, and at once without it when it is gone or was just late. */
export function createPrimaryClient({ channel, onLate }: PrimaryClientOptions): PrimaryClient {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let absence: PrimaryUnavailable | undefined;
  let requestStop: (reason: string) => void = () => undefined;
  const stopRequest = new Promise<string>((resolve) => {
    requestStop = resolve;
  });

  channel.onMessage((message) => {
    if (message.kind === 'stop') requestStop(message.reason);
    else waiting.get(message.id)?.resolve(message.answer);
  });
  channel.onGone(() => {
    absence = new PrimaryUnavailable(PRIMARY_GONE);
    for (const { reject } of waiting.values()) reject(absence);
    requestStop(PRIMARY_GONE);
  });

  const pause = (reason: PrimaryUnavailable): void => {
    if (absence) return;
    absence = reason;
    onLate?.();
    setTimeout(() => {
      // gone is gone
      if (absence === reason) absence = undefined;
    }, PAUSE_MS).unref();
  };

  const ask = async (question: Question): Promise<Answer> => {
    if (absence) throw absence;
    const id = (lastId += 1);
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Answer>((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        timer = whenLate(() => {
          const late = new PrimaryUnavailable(`no answer within ${REPLY_TIMEOUT_MS} ms`);
          if (waiting.has(id)) pause(late);
          reject(late);
        });
        channel.send({ kind: 'ask', id, question });
      });
    } finally {
      clearTimeout(timer);
      waiting.delete(id);
    }
  };

  return {
    stopRequest,
    counter: {
      add: async (key, hits, windowMs) =>
        (await ask({ kind: 'add', key, hits, windowMs })) as SharedCount,
    },
    admissions: {
      isAdmitted: (key) =>
        ask({ kind: 'isAdmitted', key }).then(
          (answer) => answer === true,
          () => false,
        ),
      admit: (key, ttlMs) =>
        ask({ kind: 'admit', key, ttlMs }).then(
          () => undefined,
          () => undefined, // away: what this process knows is all there is
        ),
    },
  };
}

/** A pause of this process is none of the primary's: what has arrived meanwhile is read first. */
function whenLate(listener: () => void): NodeJS.Timeout {
  return setTimeout(() => {
    setImmediate(() => {
      setImmediate(listener);
    });
  }, REPLY_TIMEOUT_MS);
}
