import { type LoadSample } from './measure-load';
import { openHttpConnection, type Answer, type HttpConnection } from './http-connection';
import { type BenchTrack } from './library';
import { type RunningPeer } from './peers/running-peer';
import { readProcessUsage } from './process-usage';
import { createRandom, createZipf, drawInteger, type Random } from './random';
import { quantile } from './statistics';
import { formatRequest, type WantedRequest } from './wanted-request';

export interface PlayersOptions {
  readonly tracks: readonly BenchTrack[];
  readonly players: number;
  readonly seconds: number;
}

interface Tally {
  firstByteMs: number[];
  contentBytes: number;
  failures: string[];
}

interface Player {
  readonly running: RunningPeer;
  readonly random: Random;
  readonly tally: Tally;
  connection: HttpConnection | undefined;
}

const KIBIBYTE = 1024;
/** What a player takes of `bytes=0-` before it knows the track well enough to ask for parts. */
const START_BYTES = 256 * KIBIBYTE;
const MIN_PART_BYTES = 64 * KIBIBYTE;
const MAX_PART_BYTES = 1024 * KIBIBYTE;
const READS_ON = 3;
const SEEKS = 2;

/** Players that do what players do, without the pauses, until the time is up. */
export async function measurePlayers(
  running: RunningPeer,
  { tracks, players, seconds }: PlayersOptions,
): Promise<LoadSample> {
  const tally: Tally = { firstByteMs: [], contentBytes: 0, failures: [] };
  const before = readProcessUsage(running.pid);
  const startedAt = performance.now();
  const until = startedAt + seconds * 1000;
  await Promise.all(
    Array.from({ length: players }, async (_, index) => {
      const random = createRandom(index + 1);
      const drawIndex = createZipf(random, tracks.length);
      const player: Player = { running, random, tally, connection: undefined };
      // a bound for a peer that fails each time at once
      while (performance.now() < until && tally.failures.length < 100) {
        const track = tracks[drawIndex()];
        if (track) await playTrack(player, track, until);
      }
      player.connection?.close();
    }),
  );
  const elapsedSeconds = (performance.now() - startedAt) / 1000;
  const after = readProcessUsage(running.pid);
  const answers = tally.firstByteMs.length;
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds;
  return {
    requestsPerSecond: answers / elapsedSeconds,
    bytesPerSecond: tally.contentBytes / elapsedSeconds,
    firstByteP50Ms: quantile(tally.firstByteMs, 0.5),
    firstByteP99Ms: quantile(tally.firstByteMs, 0.99),
    probeSamples: answers,
    cpuSeconds,
    busy: cpuSeconds / elapsedSeconds,
    cpuMicrosecondsPerRequest: (cpuSeconds / answers) * 1e6,
    peakBytes: after.peakBytes,
    failures: tally.failures.slice(0, 3),
  };
}

/** Metadata, start, abort, read on, seek; then the listener skips to another track. */
async function playTrack(player: Player, track: BenchTrack, until: number): Promise<void> {
  const { running, random } = player;
  const trackId = track.id;
  const hasTime = (): boolean => performance.now() < until;
  if (running.peer.metadataPathOf) await send(player, { kind: 'metadata', trackId }, 200);
  if (hasTime()) await send(player, { kind: 'range', trackId, firstPos: 0 }, 206, START_BYTES);

  let position = START_BYTES;
  for (let part = 0; part < READS_ON + SEEKS && hasTime(); part += 1) {
    const partBytes = MIN_PART_BYTES + drawInteger(random, MAX_PART_BYTES - MIN_PART_BYTES + 1);
    if (part >= READS_ON) position = drawInteger(random, track.lengthBytes - partBytes);
    const lastPos = position + partBytes - 1;
    await send(player, { kind: 'range', trackId, firstPos: position, lastPos }, 206);
    position += partBytes;
  }
}

async function send(
  player: Player,
  wanted: WantedRequest,
  status: number,
  abortAfterBytes = Infinity,
): Promise<void> {
  const { running, tally } = player;
  try {
    if (!player.connection?.isOpen()) player.connection = await openHttpConnection(running.port);
    const request = formatRequest(running.peer, wanted);
    const answer: Answer = await player.connection.exchange(request, { abortAfterBytes });
    if (answer.status !== status) throw new Error(`status ${answer.status} instead of ${status}`);
    tally.firstByteMs.push(answer.firstByteMs);
    tally.contentBytes += answer.contentBytes;
  } catch (error) {
    tally.failures.push(error instanceof Error ? error.message : String(error));
    player.connection?.close();
    player.connection = undefined;
  }
}
