import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WrongAnswer } from '../check-answers';
import { openHttpConnection, type HttpConnection } from '../http-connection';
import { formatNumber, formatTable } from '../markdown';
import { type RunningPeer } from '../peers/running-peer';
import { makeWav } from '../sound';
import { median } from '../statistics';
import { withPeers } from '../with-peers';
import { type Figure, type Scenario } from './scenario';

const SONG_SECONDS = 300;
const SONG_ID = 'hls-song';
const BOOK_HOURS = 10;
const BOOK_ID = 'hls-book';
const PLAYS = 9;
/** Between two of them: what ffmpeg still has to clear away is not the next one's. */
const PAUSE_MS = 300;
/** Six seconds of noise at 256 kbit/s take 192 kB. */
const LEAST_SEGMENT_BYTES = 100_000;

/** Where a listener begins: at the first segment, or in the middle. */
const PLACES = {
  first: { title: `beginning of ${SONG_SECONDS} s of WAV`, trackId: SONG_ID, at: 0 },
  jump: { title: `middle of an MP3 of ${BOOK_HOURS} hours`, trackId: BOOK_ID, at: 0.5 },
} as const;

/** Segments that nobody asked for before, with all that a player asks for on the way to them. */
export const hls: Scenario = {
  name: 'hls',
  title: 'HLS: from the master playlist to a whole segment that is not encoded yet',
  async run(bench) {
    const { dir } = bench.libraries.single();
    makeSounds(dir, bench.scratchDir);
    const { value: rows, leftOut } = await withPeers(
      bench,
      bench.peers
        .filter(({ kind }) => kind === 'service')
        .map((peer) => ({ peer, libraryDir: dir, check: checkSegments })),
      async (entries) => {
        const measured = [];
        for (const { running } of entries) {
          for (const [name, { title, trackId, at }] of Object.entries(PLACES)) {
            const times = await measurePlays(running, trackId, at);
            measured.push({ peer: running.peer.name, name, title, times });
          }
        }
        return measured;
      },
    );
    const table = formatTable(
      ['peer', 'place', 'first play ms', 'median ms', 'slowest ms'],
      rows.map(({ peer, title, times }) => [
        peer,
        title,
        ...[times[0] ?? Number.NaN, median(times), Math.max(...times)].map(formatNumber),
      ]),
    );
    const notes = [
      `${PLAYS} plays, each of another segment of 256 kbit/s: master and media playlist, beginning of the stream, and the segment to its last byte`,
      'the first play meets a service that has made nothing before',
      ...leftOut,
    ];
    return {
      markdown: [table, '', ...notes.map((note) => `- ${note}`)].join('\n'),
      figures: rows.map(({ peer, name, times }): Figure => ({
        peer,
        name: `${name}Ms`,
        value: median(times),
      })),
    };
  },
};

/** The book is five minutes of MP3 over and over. */
function makeSounds(dir: string, scratchDir: string): void {
  const song = join(dir, `${SONG_ID}.wav`);
  writeFileSync(song, makeWav(SONG_SECONDS));
  const part = join(scratchDir, `${BOOK_ID}-part.mp3`);
  execFileSync('ffmpeg', [
    ...['-nostdin', '-v', 'error', '-y', '-i', song],
    ...['-c:a', 'libmp3lame', '-b:a', '64k', '-write_xing', '0', '-id3v2_version', '0', part],
  ]);
  const bytes = readFileSync(part);
  const book = openSync(join(dir, `${BOOK_ID}.mp3`), 'w');
  for (let i = 0; i < (BOOK_HOURS * 3600) / SONG_SECONDS; i += 1) writeSync(book, bytes);
  closeSync(book);
}

async function measurePlays(running: RunningPeer, trackId: string, at: number): Promise<number[]> {
  const times: number[] = [];
  for (let play = 0; play < PLAYS; play += 1) {
    const connection = await openHttpConnection(running.port);
    try {
      times.push((await playSegment(running, connection, { trackId, at, play })).ms);
    } finally {
      connection.close();
    }
    await delay(PAUSE_MS);
  }
  return times;
}

/** @throws WrongAnswer when what is measured would be something else than AAC in fMP4 */
async function checkSegments(running: RunningPeer): Promise<void> {
  const connection = await openHttpConnection(running.port);
  try {
    // of a place that is not measured
    const wanted = { trackId: SONG_ID, at: 0.5, play: 0 };
    const { beginning, segment } = await playSegment(running, connection, wanted);
    const boxOf = (content: Buffer): string => content.toString('latin1', 4, 8);
    const isWrong = boxOf(beginning) !== 'ftyp' || !/^(?:styp|moof|sidx)$/.test(boxOf(segment));
    if (isWrong || segment.length < LEAST_SEGMENT_BYTES) {
      throw new WrongAnswer(`a segment of ${segment.length} bytes is no fMP4`);
    }
  } finally {
    connection.close();
  }
}

async function playSegment(
  { peer }: RunningPeer,
  connection: HttpConnection,
  { trackId, at, play }: { readonly trackId: string; readonly at: number; readonly play: number },
): Promise<{ readonly ms: number; readonly beginning: Buffer; readonly segment: Buffer }> {
  let target = `${peer.pathOf(trackId)}/hls/master.m3u8`;
  const ask = async (): Promise<Buffer> => {
    const fields = `Host: 127.0.0.1\r\nAuthorization: ${peer.authorization}`;
    const request = `GET ${target} HTTP/1.1\r\n${fields}\r\n\r\n`;
    const { status, content } = await connection.exchange(request, { keepContent: true });
    if (status !== 200) throw new Error(`${target}: status ${status} instead of 200`);
    return content;
  };
  const follow = (url: string | undefined): void => {
    if (url === undefined) throw new Error(`${target} names nothing`);
    target = new URL(url, `http://127.0.0.1${target}`).pathname;
  };

  const startedAt = performance.now();
  follow(urlsOf((await ask()).toString()).at(-1));
  const list = (await ask()).toString();
  const listTarget = target;
  follow(/#EXT-X-MAP:URI="([^"]+)"/.exec(list)?.[1]);
  const beginning = await ask();
  target = listTarget;
  const segments = urlsOf(list);
  follow(segments[Math.floor(segments.length * at) + play]);
  const segment = await ask();
  return { ms: performance.now() - startedAt, beginning, segment };
}

function urlsOf(playlist: string): readonly string[] {
  return playlist.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}
