import { type Worker } from 'node:cluster';

/**
 * Connections on their way from the primary to a worker.
 *
 * node:cluster gives a connection away and waits for the worker to accept it. From a worker that
 * dies before, no answer comes, and the connection stays open and mute for as long as the primary
 * lives; so it does when the last worker refuses it because it drains. A worker accepts before it
 * reads a request, so a connection that was not accepted can be given to another.
 *
 * This listens in on messages that Node does not document. Should they change, nothing is
 * recognised here any more, and all is as Node leaves it.
 *
 * @see https://github.com/nodejs/node/issues/21746
 */
export interface Handover {
  /** Call once for each worker, before it listens. */
  watch(worker: Worker): void;
}

export interface HandoverOptions {
  /** @returns a worker that is alive and accepts connections, if there is one */
  readonly findAccepting: () => Worker | undefined;
}

/** A handle of a connection, as Node gives it away. */
interface Connection {
  close(): void;
}

interface Offer {
  readonly message: { readonly act: 'newconn'; readonly seq: number };
  readonly connection: Connection;
}

export function createHandover({ findAccepting }: HandoverOptions): Handover {
  const give = ({ message, connection }: Offer): void => {
    const other = findAccepting();
    if (other) other.process.send(message, connection as never);
    else connection.close();
  };

  return {
    watch(worker) {
      const child = worker.process;
      const offers = new Map<number, Offer>();

      const send = child.send.bind(child) as (...args: unknown[]) => boolean;
      child.send = (...args: unknown[]) => {
        const offer = readOffer(args);
        if (offer) offers.set(offer.message.seq, offer);
        return send(...args);
      };
      child.on('internalMessage', (reply: unknown) => {
        if (!isReply(reply)) return;
        const offer = offers.get(reply.ack);
        offers.delete(reply.ack);
        // Node has put it back into a queue; when nobody accepts, nobody takes it from there
        if (offer && !reply.accepted && !findAccepting()) offer.connection.close();
      });
      // not at its exit: its last replies are read after that. And `disconnect` never comes from a
      // process that dies with a connection on its way
      child.once('close', () => {
        offers.forEach(give);
        offers.clear();
      });
    },
  };
}

function readOffer([message, connection]: readonly unknown[]): Offer | undefined {
  const isOffer = isRecord(message) && message.act === 'newconn' && isRecord(connection);
  return isOffer ? ({ message, connection } as unknown as Offer) : undefined;
}

function isReply(value: unknown): value is { readonly ack: number; readonly accepted?: boolean } {
  return isRecord(value) && typeof value.ack === 'number';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
