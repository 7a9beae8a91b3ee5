import { openHttpConnection, type Answer } from './http-connection';
import { readTrack, type BenchTrack } from './library';
import { type RunningPeer } from './peers/running-peer';
import { formatRequest, type WantedRequest } from './wanted-request';

/** What was wrong with an answer; who answers wrongly is not measured. */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer';
}

export async function ask(
  { peer, port }: RunningPeer,
  wanted: WantedRequest,
  { keepContent = true } = {},
): Promise<Answer> {
  const connection = await openHttpConnection(port);
  try {
    return await connection.exchange(formatRequest(peer, wanted), { keepContent });
  } finally {
    connection.close();
  }
}

/**
 * Asks for the whole track and for ranges of every kind, and compares status, fields and each byte
 * with the file.
 *
 * @throws WrongAnswer
 */
export async function checkTrack(
  running: RunningPeer,
  libraryDir: string,
  track: BenchTrack,
): Promise<void> {
  const file = readTrack(libraryDir, track);
  await checkWhole(running, track, file);
  const last = file.length - 1;
  const ranges: readonly (readonly [number, number?])[] = [
    [0, 65_535],
    [1, 1],
    [Math.floor(last / 2), Math.floor(last / 2) + 1_048_575],
    [last - 65_535, last],
    [last - 99_999],
    [last - 1_000, last + 5_000], // reaches behind the end, which is cut off
  ];
  for (const [firstPos, lastPos] of ranges) {
    if (firstPos < 0 || (lastPos ?? last) > last + 5_000) continue; // a shorter track has less to ask for
    await checkRange(running, track, file, { firstPos, lastPos });
  }
}

/** @throws WrongAnswer */
export async function checkMetadata(running: RunningPeer, track: BenchTrack): Promise<void> {
  const answer = await ask(running, { kind: 'metadata', trackId: track.id });
  expect(running, 'status of metadata', answer.status, 200);
  const { data } = JSON.parse(answer.content.toString('utf8')) as { data?: { title?: string } };
  expect(running, 'title in the metadata', data?.title, track.title);
}

/**
 * Asks with the entity tag that the peer itself has sent.
 *
 * @returns the entity tag
 * @throws WrongAnswer
 */
export async function checkNotModified(running: RunningPeer, track: BenchTrack): Promise<string> {
  const wanted = { kind: 'whole', trackId: track.id } as const;
  const ifNoneMatch = (await ask(running, wanted, { keepContent: false })).fields.get('etag');
  if (ifNoneMatch === undefined) {
    throw new WrongAnswer(`${running.peer.name}: there is no entity tag`);
  }
  const answer = await ask(running, { ...wanted, ifNoneMatch });
  expect(running, 'status of what has not changed', answer.status, 304);
  return ifNoneMatch;
}

async function checkWhole(running: RunningPeer, track: BenchTrack, file: Buffer): Promise<void> {
  const answer = await ask(running, { kind: 'whole', trackId: track.id });
  expect(running, 'status of a whole track', answer.status, 200);
  expect(running, 'Content-Length', answer.fields.get('content-length'), `${file.length}`);
  if (!answer.content.equals(file)) {
    throw new WrongAnswer(`${running.peer.name}: the whole track has wrong bytes`);
  }
}

async function checkRange(
  running: RunningPeer,
  track: BenchTrack,
  file: Buffer,
  { firstPos, lastPos }: { firstPos: number; lastPos: number | undefined },
): Promise<void> {
  const wanted = {
    kind: 'range',
    trackId: track.id,
    firstPos,
    ...(lastPos !== undefined && { lastPos }),
  } as const;
  const answer = await ask(running, wanted);
  const end = Math.min(lastPos ?? Infinity, file.length - 1) + 1;
  const name = `range ${firstPos}-${lastPos ?? ''}`;
  const contentRange = `bytes ${firstPos}-${end - 1}/${file.length}`;
  expect(running, `status of ${name}`, answer.status, 206);
  expect(running, 'Content-Range', answer.fields.get('content-range'), contentRange);
  expect(running, 'Content-Length', answer.fields.get('content-length'), `${end - firstPos}`);
  if (!answer.content.equals(file.subarray(firstPos, end))) {
    throw new WrongAnswer(`${running.peer.name}: ${name} has wrong bytes`);
  }
}

function expect<T>({ peer }: RunningPeer, what: string, actual: T, expected: T): void {
  if (actual !== expected) {
    throw new WrongAnswer(
      `${peer.name}: ${what} is ${String(actual)} instead of ${String(expected)}`,
    );
  }
}
