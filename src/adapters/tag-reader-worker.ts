import { parentPort } from 'node:worker_threads';
import { createBufferedSource } from './tags/byte-source';
import { parseTrack } from './tags/parse-track';
import { type FromWorker, type ToWorker } from './tags/worker-messages';

/**
 * The thread in which tags are parsed: whatever a file does to the parser, it does here.
 *
 * It never learns a path. Bytes come by message from the main thread, one request at a time.
 */
function serve(port: NonNullable<typeof parentPort>): void {
  let waiting: { readonly resolve: (bytes: Uint8Array) => void; readonly reject: () => void };

  function send(message: FromWorker): void {
    port.postMessage(message);
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
      case 'parse': {
        const source = createBufferedSource(message.sizeBytes, fetchBytes);
        void parseTrack(source, message.format).then((tags) => {
          send({ kind: 'parsed', tags });
        });
        break;
      }
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
