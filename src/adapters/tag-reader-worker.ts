import { parentPort } from 'node:worker_threads';
import { createBufferedSource } from './tags/byte-source';
import { parseTrack } from './tags/parse-track';
import { readPicture } from './tags/read-picture';
import { type FromWorker, type ToWorker } from './tags/worker-messages';

type ParseMessage = Extract<ToWorker, { readonly kind: 'parse' }>;

/**
 * The thread in which tags are parsed: whatever a file does to the parser, it does here.
 *
 * It never learns a path. Bytes come by message from the main thread, one request at a time.
 */
function serve(port: NonNullable<typeof parentPort>): void {
  let waiting: { readonly resolve: (bytes: Uint8Array) => void; readonly reject: () => void };

  function send(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
    port.postMessage(message, transfer);
  }

  async function parse({ wanted, sizeBytes, format }: ParseMessage): Promise<void> {
    const source = createBufferedSource(sizeBytes, fetchBytes);
    if (wanted === 'tags') {
      send({ kind: 'parsed', tags: await parseTrack(source, format) });
      return;
    }
    const picture = await readPicture(source, format);
    send({ kind: 'parsed', picture }, picture ? [picture.buffer] : []);
  }

  function fetchBytes(position: number, lengthBytes: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      waiting = {
        resolve,
        reject: () => {
          reject(new Error('the store could not read'));
        },
      };
      send({ kind: 'read', position, lengthBytes });
    });
  }

  port.on('message', (message: ToWorker) => {
    switch (message.kind) {
      case 'parse':
        void parse(message);
        break;
      case 'bytes':
        waiting.resolve(message.bytes);
        break;
      case 'unreadable':
        waiting.reject();
        break;
    }
  });
  send({ kind: 'ready' });
}

if (parentPort) serve(parentPort);
