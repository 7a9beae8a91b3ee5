import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ffmpeg } from '../support/audio-files';
import { itWith, runClient } from '../support/client-program';
import { findProgram } from '../support/find-program';
import { patternedBytes } from '../support/patterned-bytes';
import {
  startService,
  stopServices,
  type LogLine,
  type ServiceProcess,
} from '../support/service-process';
import { signToken } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { until } from '../support/until';

const TRACK_BYTES = 12 * 1024 * 1024 + 345;
const track = patternedBytes(TRACK_BYTES);
const authorization = `Authorization: Bearer ${signToken()}`;

const library = createTempFolder();
const downloads = createTempFolder();
let service: ServiceProcess;

beforeAll(async () => {
  writeFileSync(join(library, 'song.mp3'), track);
  service = await startService({ AUDIO_FILES_DIR: library });
});
afterAll(async () => {
  await stopServices();
  removeTempFolders();
});

function url(id: string): string {
  return `http://127.0.0.1:${service.port}/api/stream/${encodeURIComponent(id)}`;
}

/** Where a client stores the track, of which it has the first bytes already. */
function partialDownload(name: string, lengthBytes: number): string {
  const path = join(downloads, name);
  writeFileSync(path, track.subarray(0, lengthBytes));
  return path;
}

/** The field by which the requests of one client are found in the log. */
function requestIdField(requestId: string): string {
  return `X-Request-Id: ${requestId}`;
}

/** Answers that those requests were given; waits until there are as many in the log. */
async function statusesOf(requestId: string, atLeast = 1): Promise<unknown[]> {
  const find = (): readonly LogLine[] =>
    service.log.filter((line) => line.message === 'request' && line.requestId === requestId);
  await until(() => find().length >= atLeast, `${atLeast} requests ${requestId} in the log`);
  return find().map(({ status }) => status);
}

describe('curl', () => {
  const curl = (...args: string[]) => runClient('curl', ['-sS', '-H', authorization, ...args]);

  itWith('curl')('downloads a track', async () => {
    const { code, stdout } = await curl(url('song'));
    expect(code).toBe(0);
    expect(stdout.equals(track)).toBe(true);
  });

  itWith('curl')('goes on with a part of it by -C -', async () => {
    const path = partialDownload('curl.mp3', 5_000_001);
    const requestId = requestIdField('curl-resume');
    const { code } = await curl('-C', '-', '-H', requestId, '-o', path, url('song'));
    expect(code).toBe(0);
    expect(readFileSync(path).equals(track)).toBe(true);
    expect(await statusesOf('curl-resume')).toEqual([206]);
  });

  itWith('curl').each<[range: string, firstPos: number, end: number]>([
    ['0-0', 0, 1],
    ['0-99', 0, 100],
    ['1000000-1999999', 1_000_000, 2_000_000],
    ['12582912-', 12_582_912, TRACK_BYTES],
    ['12582912-99999999', 12_582_912, TRACK_BYTES],
    ['-1000', TRACK_BYTES - 1000, TRACK_BYTES],
    ['-99999999', 0, TRACK_BYTES],
  ])('takes the range %s', async (range, firstPos, end) => {
    const { stdout } = await curl('-r', range, '-w', '%{stderr}%{http_code}', url('song'));
    expect(stdout.equals(track.subarray(firstPos, end))).toBe(true);
  });

  itWith('curl')('takes several ranges as parts of one content', async () => {
    const head = join(downloads, 'head.txt');
    const { stdout } = await curl('-r', '0-99,5000000-5000999,-50', '-D', head, url('song'));
    const fields = readFileSync(head, 'latin1');
    expect(fields).toMatch(/^HTTP\/1\.1 206 /);
    const [, boundary] = /^Content-Type: multipart\/byteranges; boundary="?([^"\r\n]+)"?\r$/im.exec(
      fields,
    )!;
    const [, contentLength] = /^Content-Length: (\d+)\r$/im.exec(fields)!;
    expect(stdout).toHaveLength(Number(contentLength));

    const parts = parseParts(stdout, boundary!);
    expect(parts).toEqual([
      partOf(0, 100),
      partOf(5_000_000, 5_001_000),
      partOf(TRACK_BYTES - 50, TRACK_BYTES),
    ]);
  });

  itWith('curl')('is told the length when it asks beyond the end', async () => {
    const { stdout } = await curl(
      '-r',
      `${TRACK_BYTES}-`,
      '-D',
      '-',
      '-o',
      '/dev/null',
      url('song'),
    );
    expect(stdout.toString()).toMatch(/^HTTP\/1\.1 416 /);
    expect(stdout.toString()).toContain(`\r\nContent-Range: bytes */${TRACK_BYTES}\r\n`);
  });

  itWith('curl')('learns by -I what a download would be, and gets no content', async () => {
    const { code, stdout } = await curl('-I', url('song'));
    expect(code).toBe(0);
    const fields = stdout.toString();
    expect(fields).toMatch(/^HTTP\/1\.1 200 /);
    expect(fields).toContain(`\r\nContent-Length: ${TRACK_BYTES}\r\n`);
    expect(fields).toContain('\r\nAccept-Ranges: bytes\r\n');
    expect(fields).toContain('\r\nContent-Type: audio/mpeg\r\n');
    expect(fields.endsWith('\r\n\r\n')).toBe(true);
  });

  itWith('curl')('downloads again only what has changed, by --etag-compare', async () => {
    const etag = join(downloads, 'etag');
    const path = join(downloads, 'etag.mp3');
    await curl('--etag-save', etag, '-o', path, url('song'));
    const again = ['--etag-compare', etag, '-o', join(downloads, 'none')];
    const { code } = await curl(...again, '-H', requestIdField('curl-etag'), url('song'));
    expect(code).toBe(0);
    expect(await statusesOf('curl-etag')).toEqual([304]);
  });

  function partOf(firstPos: number, end: number): { range: string; content: string } {
    const content = track.subarray(firstPos, end).toString('base64');
    return { range: `bytes ${firstPos}-${end - 1}/${TRACK_BYTES}`, content };
  }

  function parseParts(
    bytes: Buffer,
    boundary: string,
  ): { range: string | undefined; content: string }[] {
    const sections = bytes.toString('latin1').split(`--${boundary}`);
    expect(sections.at(-1)).toBe('--\r\n');
    return sections.slice(1, -1).map((section) => {
      const contentAt = section.indexOf('\r\n\r\n') + 4;
      const range = /\r\nContent-Range: ([^\r]+)\r\n/i.exec(section)?.[1];
      const content = Buffer.from(section.slice(contentAt, -2), 'latin1').toString('base64');
      return { range, content };
    });
  }
});

describe('wget', () => {
  itWith('wget').each([
    [0, 200],
    [1, 206],
    [7_000_000, 206],
    [TRACK_BYTES, 416],
  ])('goes on by -c where %d bytes are there', async (lengthBytes, status) => {
    const requestId = `wget-${lengthBytes}`;
    const path = partialDownload(`${requestId}.mp3`, lengthBytes);
    const { code } = await runClient('wget', [
      ...['-q', '-c', '-t', '1', '--header', authorization],
      ...['--header', requestIdField(requestId), '-O', path, url('song')],
    ]);
    expect(code).toBe(0);
    expect(readFileSync(path).equals(track)).toBe(true);
    expect(await statusesOf(requestId)).toEqual([status]);
  });
});

describe('aria2c', () => {
  itWith('aria2c')('downloads a track in eight pieces at once', async () => {
    const { code } = await runClient('aria2c', [
      ...['-q', '-x', '8', '-s', '8', '-k', '1M', '--no-conf', '--file-allocation=none'],
      ...['-d', downloads, '-o', 'aria2.mp3', `--header=${authorization}`],
      ...[`--header=${requestIdField('aria2')}`, url('song')],
    ]);
    expect(code).toBe(0);
    expect(sha256(readFileSync(join(downloads, 'aria2.mp3')))).toBe(sha256(track));
    expect(existsSync(join(downloads, 'aria2.mp3.aria2'))).toBe(false);
    const statuses = await statusesOf('aria2', 8);
    expect(statuses.filter((status) => status === 206).length).toBeGreaterThanOrEqual(7);
    expect(statuses.every((status) => status === 200 || status === 206)).toBe(true);
  });

  function sha256(bytes: Buffer): string {
    return createHash('sha256').update(bytes).digest('hex');
  }
});

describe('ffmpeg', () => {
  const DURATION_SECONDS = 40;
  /** a sweep: each moment sounds like no other */
  const sweep = `aevalsrc=0.4*sin(2*PI*t*(200+20*t)):s=44100:d=${DURATION_SECONDS}`;
  /** constant and variable bit rate, with and without an index, tags in front and behind */
  const tracks: readonly [file: string, encoding: readonly string[]][] = [
    ['cbr.mp3', ['-c:a', 'libmp3lame', '-b:a', '128k']],
    ['vbr.mp3', ['-c:a', 'libmp3lame', '-q:a', '4']],
    ['lossless.flac', ['-c:a', 'flac']],
    ['index-behind.m4a', ['-c:a', 'aac']],
    ['index-in-front.m4a', ['-c:a', 'aac', '-movflags', '+faststart']],
    ['vorbis.ogg', ['-c:a', 'libvorbis']],
    ['speech.opus', ['-c:a', 'libopus', '-b:a', '48k']],
    ['plain.wav', ['-c:a', 'pcm_s16le']],
    ['web.webm', ['-c:a', 'libopus', '-b:a', '48k']],
  ];
  const cases = tracks.map(([file]) => [file, file.slice(0, file.lastIndexOf('.'))] as const);
  const credentials = (requestId: string): string[] => [
    '-headers',
    `${authorization}\r\n${requestIdField(requestId)}\r\n`,
  ];

  beforeAll(async () => {
    const outputs = tracks.flatMap(([file, encoding]) => [
      ...['-map', '0:a', '-metadata', `title=${file}`, ...encoding],
      join(library, file),
    ]);
    // else the tests below are skipped, or fail
    if (findProgram('ffmpeg') !== undefined) await ffmpeg(['-f', 'lavfi', '-i', sweep, ...outputs]);
  });

  const decode = async (input: string, options: readonly string[]): Promise<string> => {
    const { stdout, stderr } = await runClient('ffmpeg', [
      ...['-v', 'error', '-nostdin', ...options, '-i', input],
      ...['-t', '5', '-f', 'hash', '-hash', 'sha256', '-c:a', 'pcm_s16le', '-'],
    ]);
    expect(stderr).toBe('');
    return stdout.toString();
  };

  itWith('ffmpeg').each(cases)('decodes what is in the file: %s', async (file, id) => {
    const samples = await decode(join(library, file), []);
    expect(samples).toMatch(/^SHA256=/);
    expect(await decode(url(id), credentials('ffmpeg'))).toBe(samples);
  });

  itWith('ffmpeg').each(cases)('seeks by -ss to what is in the file: %s', async (file, id) => {
    const seek = ['-ss', '31.5'];
    const samples = await decode(join(library, file), seek);
    expect(await decode(url(id), [...credentials(`seek-${id}`), ...seek])).toBe(samples);
    expect(await statusesOf(`seek-${id}`)).not.toContain(429);
  });

  itWith('ffprobe').each(cases)(
    'finds by ffprobe the duration of the file: %s',
    async (file, id) => {
      const probe = async (input: string, options: readonly string[]): Promise<string> => {
        const show = ['-show_entries', 'format=duration,format_name', '-of', 'default=nk=1:nw=1'];
        const { stdout } = await runClient('ffprobe', ['-v', 'error', ...options, ...show, input]);
        return stdout.toString();
      };
      const local = await probe(join(library, file), []);
      expect(Number(local.split('\n')[1])).toBeCloseTo(DURATION_SECONDS, 0);
      expect(await probe(url(id), credentials('ffprobe'))).toBe(local);
    },
  );
});
