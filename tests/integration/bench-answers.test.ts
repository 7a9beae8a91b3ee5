import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { checkNotModified, checkTrack } from '../../bench/check-answers';
import { createTrackMaker, readTrack, type BenchTrack } from '../../bench/library';
import { createExpressStatic } from '../../bench/peers/node-peers';
import { type RunningPeer } from '../../bench/peers/running-peer';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const peer = createExpressStatic('Bearer nobody');

let libraryDir: string;
let track: BenchTrack;
let file: Buffer;
let server: Server | undefined;

beforeAll(() => {
  libraryDir = createTempFolder();
  track = createTrackMaker().make(libraryDir, 'track', 2_500_000);
  file = readTrack(libraryDir, track);
});

afterEach(() => {
  server?.close();
});

afterAll(removeTempFolders);

async function serve(listener: RequestListener): Promise<RunningPeer> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { peer, port, pid: process.pid, startMs: 0, stop: () => Promise.resolve() };
}

/** A server that is right but for what `spoil` does to it. */
function serveRanges(
  spoil: (answer: {
    status: number;
    fields: Record<string, string | number>;
    content: Buffer;
  }) => void = () => undefined,
): RequestListener {
  return (req, res) => {
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '') ?? [];
    const from = Number(first ?? 0);
    const to = Math.min(last ? Number(last) : Infinity, file.length - 1);
    const content = Buffer.from(file.subarray(from, to + 1));
    const answer = {
      status: first === undefined ? 200 : 206,
      fields: {
        ...(first !== undefined && { 'Content-Range': `bytes ${from}-${to}/${file.length}` }),
        'Content-Length': content.length,
      },
      content,
    };
    spoil(answer);
    res.writeHead(answer.status, answer.fields).end(answer.content);
  };
}

describe('checkTrack()', () => {
  it('is content with right answers', async () => {
    await expect(checkTrack(await serve(serveRanges()), libraryDir, track)).resolves.toBe(
      undefined,
    );
  });

  it.each<[string, Parameters<typeof serveRanges>[0], RegExp]>([
    [
      'one wrong byte in the whole track',
      ({ status, content }) => {
        if (status === 200) content[1_234_567]! ^= 1;
      },
      /whole track has wrong bytes/,
    ],
    [
      'one wrong byte in a range',
      ({ status, content }) => {
        if (status === 206) content[0]! ^= 1;
      },
      /range 0-65535 has wrong bytes/,
    ],
    [
      'a 200 for a range',
      (answer) => {
        answer.status = 200;
      },
      /status of range 0-65535 is 200/,
    ],
    [
      'a wrong Content-Range',
      ({ fields }) => {
        if ('Content-Range' in fields) fields['Content-Range'] = 'bytes 0-1/2';
      },
      /Content-Range is bytes 0-1\/2/,
    ],
  ])('finds %s', async (_, spoil, message) => {
    const running = await serve(serveRanges(spoil));
    await expect(checkTrack(running, libraryDir, track)).rejects.toThrow(message);
  });
});

describe('checkNotModified()', () => {
  it('returns the entity tag that the peer itself has sent', async () => {
    const running = await serve((req, res) => {
      const isKnown = req.headers['if-none-match'] === '"one"';
      res.writeHead(isKnown ? 304 : 200, {
        ETag: '"one"',
        ...(!isKnown && { 'Content-Length': 1 }),
      });
      res.end(isKnown ? undefined : 'x');
    });
    await expect(checkNotModified(running, track)).resolves.toBe('"one"');
  });

  it('finds a peer that sends everything again', async () => {
    const running = await serve((_req, res) => {
      res.writeHead(200, { ETag: '"one"', 'Content-Length': 1 }).end('x');
    });
    await expect(checkNotModified(running, track)).rejects.toThrow(/is 200 instead of 304/);
  });
});
