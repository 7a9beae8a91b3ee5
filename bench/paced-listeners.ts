import { connect, type Socket } from 'node:net';
import { type BenchTrack } from './library';
import { type RunningPeer } from './peers/running-peer';
import { drawInteger, drawOne, type Random } from './random';
import { formatRequest, type WantedRequest } from './wanted-request';

/** What has happened to the listeners so far. */
export interface ListenerTally {
  /** listeners that once lacked the bytes due at their pace */
  readonly late: number;
  /** connections that were refused, or that the server ended */
  readonly cut: number;
  /** how they ended: codes of errors */
  readonly cutReasons: readonly string[];
  /** listeners whose header section was not that of a 200 or 206 */
  readonly wrong: number;
  /** listeners that have audio at the moment */
  readonly listening: number;
  /** of the seeks, from the last byte of the request to the first of the answer */
  readonly seekFirstByteMs: readonly number[];
  /** how far the wheel fell behind at the most: above a second, the load was at its end, not the server */
  readonly worstLagMs: number;
}

export interface PacedListeners {
  add(): void;
  /** From now on each listener seeks about once a minute. */
  startSeeking(): void;
  readTally(): ListenerTally;
  close(): void;
}

/** 128 kbit/s, as most music is streamed. */
export const PACE_BYTES_PER_SECOND = 16_000;
/** What a player has in its buffer before it may run dry. */
const CREDIT_SECONDS = 2;
const SEEKS_PER_SECOND = 1 / 60;
/** Listeners take their second's worth at different times: one of these each. */
const SLOTS = 100;
const SLOT_MS = 1_000 / SLOTS;
const HEAD_END = '\r\n\r\n';
/** Read at once; a second's worth at most, so that nobody takes ahead. */
const CHUNK_BYTES = 16_000;

interface Listener {
  track: BenchTrack;
  socket: Socket | undefined;
  /** when its request was written; 0 before the first */
  sentAt: number;
  /** when the clock of its player began: with the wish, not with the connection */
  startedAt: number;
  receivedBytes: number;
  allowedBytes: number;
  hasHead: boolean;
  isSeek: boolean;
  isLate: boolean;
  isOver: boolean;
}

/**
 * Clients that take a track at the pace it is played: each reads a second's worth once a second and
 * leaves the rest to wait in the connection. One timer turns a wheel for all of them.
 */
export function createPacedListeners(
  { peer, port }: RunningPeer,
  tracks: readonly BenchTrack[],
  random: Random,
): PacedListeners {
  const listeners: Listener[] = [];
  const tally = { late: 0, cut: 0, wrong: 0, seekFirstByteMs: new Array<number>(), worstLagMs: 0 };
  const cutReasons = new Set<string>();
  const shared = Buffer.alloc(CHUNK_BYTES);
  const wheelStartedAt = performance.now();
  let turned = 0;
  let isSeeking = false;

  const open = (listener: Listener, wanted: WantedRequest): void => {
    listener.startedAt = performance.now();
    listener.receivedBytes = 0;
    listener.allowedBytes = PACE_BYTES_PER_SECOND;
    listener.hasHead = false;
    const socket = connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: shared,
        callback: (bytes) => {
          if (listener.socket === socket) take(listener, bytes);
          return listener.receivedBytes < listener.allowedBytes;
        },
      },
    });
    socket.once('connect', () => {
      socket.write(formatRequest(peer, wanted), 'latin1');
      listener.sentAt = performance.now();
    });
    let reason = 'ended by the server';
    // 'close' follows
    socket.on('error', (error) => {
      reason = 'code' in error ? String(error.code) : error.message;
    });
    socket.once('close', () => {
      if (listener.socket !== socket || listener.isOver) return;
      listener.isOver = true;
      tally.cut += 1;
      cutReasons.add(`${reason} after ${listener.receivedBytes} bytes`);
    });
    listener.socket = socket;
  };

  const take = (listener: Listener, bytes: number): void => {
    if (listener.hasHead) {
      listener.receivedBytes += bytes;
      return;
    }
    // on loopback a header section comes in one piece
    const head = shared.toString('latin1', 0, bytes);
    listener.hasHead = true;
    listener.receivedBytes = bytes - head.indexOf(HEAD_END) - HEAD_END.length;
    if (!/^HTTP\/1\.1 20[06] /.test(head)) tally.wrong += 1;
    if (listener.isSeek) tally.seekFirstByteMs.push(performance.now() - listener.sentAt);
  };

  const seek = (listener: Listener): void => {
    const previous = listener.socket;
    // half of them stay with their track
    if (random() < 0.5) listener.track = drawOne(random, tracks);
    listener.isSeek = true;
    // the last minutes are left out: a track must not end while it is measured
    const firstPos = drawInteger(random, Math.floor(listener.track.lengthBytes / 2));
    open(listener, { kind: 'range', trackId: listener.track.id, firstPos });
    previous?.destroy();
  };

  const turnFor = (listener: Listener, now: number): void => {
    if (listener.isOver) return;
    const playedSeconds = (now - listener.startedAt) / 1000 - CREDIT_SECONDS;
    if (!listener.isLate && listener.receivedBytes < playedSeconds * PACE_BYTES_PER_SECOND) {
      listener.isLate = true;
      tally.late += 1;
    }
    if (isSeeking && random() < SEEKS_PER_SECOND) {
      seek(listener);
      return;
    }
    listener.allowedBytes += PACE_BYTES_PER_SECOND;
    if (listener.receivedBytes < listener.allowedBytes) listener.socket?.resume();
  };

  const turn = (): void => {
    const now = performance.now();
    const due = Math.floor((now - wheelStartedAt) / SLOT_MS);
    tally.worstLagMs = Math.max(tally.worstLagMs, (due - turned) * SLOT_MS);
    for (; turned < due; turned += 1) {
      for (let index = turned % SLOTS; index < listeners.length; index += SLOTS) {
        const listener = listeners[index];
        if (listener) turnFor(listener, now);
      }
    }
  };
  const timer = setInterval(turn, SLOT_MS);

  return {
    add() {
      const track = drawOne(random, tracks);
      const listener: Listener = {
        track,
        socket: undefined,
        sentAt: 0,
        startedAt: 0,
        receivedBytes: 0,
        allowedBytes: 0,
        hasHead: false,
        isSeek: false,
        isLate: false,
        isOver: false,
      };
      listeners.push(listener);
      open(listener, { kind: 'whole', trackId: track.id });
    },
    startSeeking() {
      isSeeking = true;
    },
    readTally() {
      const listening = listeners.filter(({ isOver, hasHead }) => hasHead && !isOver).length;
      return { ...tally, cutReasons: [...cutReasons], listening };
    },
    close() {
      clearInterval(timer);
      for (const listener of listeners) {
        listener.isOver = true;
        listener.socket?.destroy();
      }
    },
  };
}
