import { readFile } from 'node:fs/promises';
import { isIPv4, type Socket } from 'node:net';
import { endianness } from 'node:os';

/** Looks at many connections share one reading of the table. */
const MIN_AGE_MS = 250;
/** With thousands of connections a reading takes its time: of all time one part in so many. */
const READING_SHARE = 50;
/** local address, remote address, state, tx_queue */
const ROW = /^ *\d+: (\S+ \S+) [0-9A-F]{2} ([0-9A-F]{8}):/gm;
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];

/**
 * Reads from Linux' connection table how many bytes a peer has not acknowledged; Node has no call
 * for it. Elsewhere, or for a connection that is not listed, the answer is undefined.
 *
 * @see proc(5), /proc/net/tcp: local address, remote address, tx_queue in hexadecimal
 */
export function createSendQueueReader(): (socket: Socket) => Promise<number | undefined> {
  let queues: Promise<ReadonlyMap<string, number>> | undefined;
  let staleAt = -Infinity;

  const read = async (): Promise<ReadonlyMap<string, number>> => {
    const text = await readTables();
    const startedAt = performance.now();
    const parsed = parseQueues(text);
    const now = performance.now();
    staleAt = now + Math.max(MIN_AGE_MS, (now - startedAt) * READING_SHARE);
    return parsed;
  };

  return async (socket) => {
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    if (!localAddress || !localPort || !remoteAddress || !remotePort) return undefined;

    if (performance.now() >= staleAt) {
      staleAt = Infinity; // one reading at a time
      queues = read();
    }
    const pair = `${formatEndpoint(localAddress, localPort)} ${formatEndpoint(remoteAddress, remotePort)}`;
    return (await queues)?.get(pair);
  };
}

async function readTables(): Promise<string> {
  const texts = await Promise.all(TABLES.map((path) => readFile(path, 'latin1').catch(() => '')));
  return texts.join('');
}

function parseQueues(text: string): ReadonlyMap<string, number> {
  const queues = new Map<string, number>();
  for (const [, pair = '', bytes = ''] of text.matchAll(ROW)) {
    queues.set(pair, Number.parseInt(bytes, 16));
  }
  return queues;
}

/** The kernel prints addresses as words of its own byte order, mapped ones like any IPv6 address. */
function formatEndpoint(address: string, port: number): string {
  const words = isIPv4(address) ? [ipv4Bytes(address)] : ipv6Words(address);
  const text = words
    .map((word) => (endianness() === 'LE' ? word.reverse() : word).toString('hex'))
    .join('');
  return `${text}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

function ipv6Words(address: string): Buffer[] {
  const [unscoped = ''] = address.split('%');
  const tail = /^(.*:)([\d.]+)$/.exec(unscoped);
  const hextets =
    tail?.[2] && isIPv4(tail[2])
      ? `${tail[1] ?? ''}${ipv4Bytes(tail[2]).toString('hex').replace(/^.{4}/, '$&:')}`
      : unscoped;
  const [head = '', rest] = hextets.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = rest === undefined || rest === '' ? [] : rest.split(':');
  const zeros = Array<string>(8 - before.length - after.length).fill('0');
  const hex = [...before, ...zeros, ...after].map((part) => part.padStart(4, '0')).join('');
  return [0, 8, 16, 24].map((at) => Buffer.from(hex.slice(at, at + 8), 'hex'));
}
