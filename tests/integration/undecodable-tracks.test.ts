import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ffmpeg } from '../support/audio-files';
import { startApp, type TestApp } from '../support/build-app';
import { parseJson, send } from '../support/http-client';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const headers = { authorization: bearer() };
const library = createTempFolder();
let trap: Server;
let visits = 0;
let app: TestApp;
let bare: TestApp;

beforeAll(async () => {
  trap = createServer((_req, res) => {
    visits += 1;
    res.end();
  }).on('connection', () => (visits += 1));
  trap.listen(0, '127.0.0.1');
  await once(trap, 'listening');
  const address = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/secret.mp3`;

  await ffmpeg(['-f', 'lavfi', '-i', 'sine=d=2', join(library, 'good.mp3')]);
  await ffmpeg([
    '-f',
    'lavfi',
    '-i',
    'color=d=1',
    '-c:v',
    'mpeg4',
    join(library, 'silent-film.mp4'),
  ]);
  const sdp = `v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n`;
  await ffmpeg(['-f', 'lavfi', '-i', 'sine=d=2', join(library, 'head.flac')]);
  await ffmpeg(['-f', 'lavfi', '-i', 'sine=d=2', join(library, 'head.m4a')]);
  const flac = readFileSync(join(library, 'head.flac'));
  const m4a = readFileSync(join(library, 'head.m4a'));
  const mdat = m4a.indexOf('mdat') + 4;
  const moov = m4a.indexOf('moov') - 4;
  const frame = Buffer.from([0xff, 0xfb, 0x90, 0x00]);
  const tracks: Readonly<Record<string, string | Buffer>> = {
    'noise.mp3': noise(200_000),
    'noise-behind-a-frame.mp3': Buffer.concat([frame, noise(200_000)]),
    'noise-flac.flac': Buffer.concat([Buffer.from('fLaC'), noise(50_000)]),
    'noise-m4a.m4a': Buffer.concat([Buffer.from('\0\0\0\x18ftypM4A '), noise(50_000)]),
    'noise-ogg.ogg': Buffer.concat([Buffer.from('OggS'), noise(50_000)]),
    'noise-wav.wav': Buffer.concat([Buffer.from('RIFF\xff\xff\0\0WAVE', 'latin1'), noise(50_000)]),
    'playlist.mp3': `#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n${address}\n#EXT-X-ENDLIST\n`,
    'concat.mp3': `ffconcat version 1.0\nfile '${address}'\nfile '/etc/passwd'\n`,
    'session.mp3': sdp,
    'tagged-playlist.mp3': `ID3\x03\0\0\0\0\0\0#EXTM3U\n#EXTINF:9,\n${address}\n`,
    'playlist-wav.wav': `#EXTM3U\n#EXTINF:9,\n${address}\n`,
    // their heads promise sound: only the decoder learns that there is none
    'promise-flac.flac': Buffer.concat([
      flac.subarray(0, flac.indexOf('fff8', 'hex')),
      noise(50_000),
    ]),
    'promise-m4a.m4a': Buffer.concat([
      m4a.subarray(0, mdat),
      noise(moov - mdat),
      m4a.subarray(moov),
    ]),
    'empty.mp3': '',
    'text.mp3': 'This is no music.\n'.repeat(400),
  };
  for (const [name, bytes] of Object.entries(tracks)) {
    writeFileSync(join(library, name), bytes);
    const extension = name.slice(name.lastIndexOf('.'));
    undecodable.push(name.slice(0, -extension.length));
  }
  const env = { AUDIO_FILES_DIR: library, RATE_LIMIT_MAX: '100000' };
  app = await startApp({ ...env, CACHE_DIR: createTempFolder() });
  bare = await startApp({ ...env, CACHE_DIR: createTempFolder(), FFMPEG_PATH: '/nonexistent' });
});

afterAll(async () => {
  await Promise.all([app.close(), bare.close()]);
  trap.close();
  removeTempFolders();
});

const undecodable: string[] = ['silent-film'];

/** The same bytes each time. */
function noise(length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let bytes = 0; bytes < length; bytes += 64) {
    blocks.push(createHash('sha512').update(String(bytes)).digest());
  }
  return Buffer.concat(blocks, length);
}

describe('tracks without sound', () => {
  it.each(['mp3', 'aac', 'opus', 'flac', 'wav'])(
    'are 422 as %s, and open nothing',
    async (format) => {
      const isLossless = format === 'flac' || format === 'wav';
      // what is known to be lossy is refused for that
      const asked = undecodable.filter((id) => !isLossless || id !== 'promise-m4a');
      const answers: unknown[] = [];
      for (const id of asked) {
        const answer = await send(app.port, `/api/stream/${id}?format=${format}`, { headers });
        answers.push([id, answer.status, parseJson(answer).code]);
      }
      expect(answers).toEqual(asked.map((id) => [id, 422, 'track_undecodable']));
      expect(visits).toBe(0);
    },
  );
});

describe('without ffmpeg', () => {
  it('says so, and streams what is stored', async () => {
    for (const query of ['format=mp3', 'format=auto&maxBitrate=32']) {
      const answer = await send(bare.port, `/api/stream/good?${query}`, { headers });
      expect([answer.status, parseJson(answer).code]).toEqual([501, 'ffmpeg_unavailable']);
    }
    const posted = await send(bare.port, '/api/stream/good/prepare?format=mp3', {
      method: 'POST',
      headers: { ...headers, 'content-length': '0' },
    });
    expect(posted.status).toBe(501);
    for (const query of ['', '?format=original', '?format=auto']) {
      const { status, content } = await send(bare.port, `/api/stream/good${query}`, { headers });
      expect([status, content.length > 10_000]).toEqual([200, true]);
    }
    const refused = await send(bare.port, '/api/stream/good?format=nothing', { headers });
    expect(refused.status).toBe(400);
  });
});
