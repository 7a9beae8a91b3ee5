import { readFile } from 'node:fs/promises';
import { isIPv4, type Socket } from 'node:net';
import { endianness } from 'node:os';

/** Looks at many connections share one reading of the table. */
const MAX_AGE_MS = 250;
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];

/**
 * Reads from Linux' connection table how many bytes a peer has not acknowledged; Node has no call
 * for it. Elsewhere, or for a connection that is not listed, the answer is undefined.
 *
 * @see proc(5), /proc/net/tcp: local address, remote address, tx_queue in hexadecimal
 */
export function createSendQueueReader(): (socket: Socket) => Promise<number | undefined> {
  let tables: Promise<string> | undefined;
  let readAt = -Infinity;

  return async (socket) => {
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    if (!localAddress || !localPort || !remoteAddress || !remotePort) return undefined;

    if (!tables || performance.now() - readAt > MAX_AGE_MS) {
      readAt = performance.now();
      tables = readTables();
    }
    const pair = ` ${formatEndpoint(localAddress, localPort)} ${formatEndpoint(remoteAddress, remotePort)} `;
    const text = await tables;
    const found = text.indexOf(pair);
    if (found < 0) return undefined;
    // behind the pair: state, then tx_queue:rx_queue
    const queue = /^[0-9A-F]{2} ([0-9A-F]{8}):/.exec(
      text.slice(found + pair.length, found + pair.length + 16),
    );
    return queue?.[1] === undefined ? undefined : Number.parseInt(queue[1], 16);
  };
}

async function readTables(): Promise<string> {
  const texts = await Promise.all(TABLES.map((path) => readFile(path, 'latin1').catch(() => '')));
  return texts.join('');
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
