import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { createTagReader, TagReadingFailed, type TagReader } from '../../src/adapters/tag-reader';
import { type AudioFormat } from '../../src/services/audio-format';
import { createCachedMetadata } from '../../src/services/cached-metadata';
import {
  createMetadataService,
  METADATA_SHAPE_VERSION,
  type MetadataService,
  trackMetadataSchema,
} from '../../src/services/metadata-service';
import { metadataKey } from '../../src/services/redis-keys';
import { encode, ffmpeg, ffprobe, selectFile } from '../support/audio-files';
import { collectGarbage } from '../support/collect-garbage';
import { until } from '../support/until';

const SECONDS = 5;
const MIB = 1024 * 1024;

// `é` is one code point here and two there: tags are answered as they are
const TAGS = {
  title: 'Título é é 曲',
  artist: 'The Artist',
  album: 'The Album',
  album_artist: 'Several',
  genre: 'Jazz',
  date: '1999',
  track: '3/9',
  disc: '1/2',
};
const tagArgs = Object.entries(TAGS).flatMap(([key, value]) => ['-metadata', `${key}=${value}`]);

interface Sample {
  readonly name: string;
  readonly format: AudioFormat;
  readonly args: readonly string[];
  readonly codec: string;
  readonly lossless?: boolean;
  /** where ffprobe guesses from the first frames, or says nothing, what was put in is the measure */
  readonly isGuessedByProbe?: boolean;
  readonly without?: readonly (keyof typeof TAGS)[];
}

const SAMPLES: readonly Sample[] = [
  { name: 'cbr.mp3', format: 'mp3', args: ['-b:a', '128k'], codec: 'mp3' },
  { name: 'vbr.mp3', format: 'mp3', args: ['-q:a', '3'], codec: 'mp3' },
  {
    name: 'vbr-without-xing.mp3',
    format: 'mp3',
    args: ['-q:a', '3', '-write_xing', '0'],
    codec: 'mp3',
    isGuessedByProbe: true,
  },
  {
    name: 'cbr-without-xing.mp3',
    format: 'mp3',
    args: ['-b:a', '128k', '-write_xing', '0', '-id3v2_version', '3', '-write_id3v1', '1'],
    codec: 'mp3',
  },
  { name: 'mono.mp3', format: 'mp3', args: ['-ar', '22050', '-ac', '1'], codec: 'mp3' },
  { name: 'a.flac', format: 'flac', args: [], codec: 'flac', lossless: true },
  { name: 'aac.m4a', format: 'mp4', args: ['-c:a', 'aac'], codec: 'aac' },
  { name: 'alac.m4a', format: 'mp4', args: ['-c:a', 'alac'], codec: 'alac', lossless: true },
  {
    name: 'fragmented.mp4',
    format: 'mp4',
    args: ['-c:a', 'aac', '-movflags', 'frag_keyframe+empty_moov', '-frag_duration', '500000'],
    codec: 'aac',
  },
  { name: 'mono.m4a', format: 'mp4', args: ['-ac', '1', '-c:a', 'aac'], codec: 'aac' },
  { name: 'six.m4a', format: 'mp4', args: ['-ac', '6', '-c:a', 'aac'], codec: 'aac' },
  {
    name: 'quad.m4a',
    format: 'mp4',
    args: ['-af', 'aformat=channel_layouts=quad', '-c:a', 'aac'],
    codec: 'aac',
  },
  {
    name: 'mono-fragmented.mp4',
    format: 'mp4',
    // the first samples are in the movie atom here
    args: ['-ac', '1', '-c:a', 'aac', '-movflags', 'frag_keyframe', '-frag_duration', '500000'],
    codec: 'aac',
  },
  {
    name: 'mono-delayed.mp4',
    format: 'mp4',
    args: ['-ac', '1', '-c:a', 'aac', '-movflags', 'frag_keyframe+empty_moov+delay_moov'],
    codec: 'aac',
  },
  {
    name: 'mono-alac.m4a',
    format: 'mp4',
    args: ['-ac', '1', '-ar', '96000', '-c:a', 'alac'],
    codec: 'alac',
    lossless: true,
  },
  { name: 'mono-ac3.mp4', format: 'mp4', args: ['-ac', '1', '-c:a', 'ac3'], codec: 'ac3' },
  {
    name: 'adts.aac',
    format: 'aac',
    args: ['-b:a', '96k'],
    codec: 'aac',
    isGuessedByProbe: true,
    without: ['title', 'artist', 'album', 'album_artist', 'genre', 'date', 'track', 'disc'],
  },
  { name: 'vorbis.ogg', format: 'ogg', args: ['-c:a', 'libvorbis'], codec: 'vorbis' },
  { name: 'a.opus', format: 'ogg', args: ['-b:a', '96k'], codec: 'opus' },
  {
    name: 'flac.oga',
    format: 'ogg',
    args: ['-c:a', 'flac'],
    codec: 'flac',
    lossless: true,
  },
  {
    name: 'pcm16.wav',
    format: 'wav',
    args: [],
    codec: 'pcm_s16le',
    lossless: true,
    without: ['album_artist', 'disc'],
  },
  {
    name: 'pcm24.wav',
    format: 'wav',
    args: ['-c:a', 'pcm_s24le'],
    codec: 'pcm_s24le',
    lossless: true,
    without: ['album_artist', 'disc'],
  },
  {
    name: 'a.aiff',
    format: 'aiff',
    args: ['-write_id3v2', '1'],
    codec: 'pcm_s16be',
    lossless: true,
  },
  { name: 'opus.webm', format: 'webm', args: ['-c:a', 'libopus'], codec: 'opus' },
  {
    name: 'live.webm',
    format: 'webm',
    args: ['-c:a', 'libopus', '-f', 'webm', '-live', '1'],
    codec: 'opus',
    isGuessedByProbe: true,
  },
  { name: 'a.wma', format: 'wma', args: ['-c:a', 'wmav2'], codec: 'wmav2' },
];

let folder: string;
let tagReader: TagReader;
let metadata: MetadataService;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tuneton-metadata-'));
  tagReader = createTagReader();
  metadata = createMetadataService({ tagReader });
  await Promise.all(
    SAMPLES.map(({ name, args }) => encode(join(folder, name), SECONDS, [...tagArgs, ...args])),
  );
});

afterAll(async () => {
  await tagReader.close();
  await rm(folder, { recursive: true });
});

describe('describe() of what ffmpeg encoded', () => {
  it.each(SAMPLES)('agrees with ffprobe: $name', async (sample) => {
    const { name, format, codec, lossless = false, isGuessedByProbe, without = [] } = sample;
    const { selected, usage } = selectFile(folder, name, format);
    const { metadata: found, isFinal } = await metadata.describe(selected);
    const probe = await ffprobe(join(folder, name));
    const [stream] = probe.streams;

    expect(isFinal).toBe(true);
    expect(found.warnings).toBeUndefined();
    expect(trackMetadataSchema.parse(found)).toEqual(found);
    const seconds = isGuessedByProbe ? SECONDS : Number(probe.format.duration);
    expect(Math.abs((found.duration ?? 0) - seconds)).toBeLessThanOrEqual(
      format === 'mp4' ? 0.005 : 0.05,
    );
    const guessed = (selected.track.sizeBytes * 8) / SECONDS;
    const bitRateBps = Number(stream?.bit_rate ?? probe.format.bit_rate);
    // Vorbis states a nominal rate, which is no average
    const isNominal = codec === 'vorbis';
    const expectedBps = isGuessedByProbe
      ? guessed
      : isNominal
        ? Number(probe.format.bit_rate)
        : bitRateBps;
    expectWithin(0.02, found.bitrate, expectedBps / 1000);
    expect(found).toMatchObject({
      codec: stream?.codec_name,
      sampleRate: Number(stream?.sample_rate),
      channels: stream?.channels,
      lossless,
      format,
      hasArtwork: false,
      size: selected.track.sizeBytes,
      etag: selected.entityTag,
    });
    expect(found.codec).toBe(codec);
    const has = (tag: keyof typeof TAGS): boolean => !without.includes(tag);
    expect(found).toMatchObject({
      title: has('title') ? TAGS.title : selected.id,
      artist: has('artist') ? TAGS.artist : 'Unknown Artist',
      album: has('album') ? TAGS.album : null,
      albumArtist: has('album_artist') ? TAGS.album_artist : null,
      genre: has('genre') ? TAGS.genre : null,
      year: has('date') ? 1999 : null,
      trackNumber: has('track') ? 3 : null,
      discNumber: has('disc') ? 1 : null,
    });
    expect(usage.openReads).toBe(0);
  });

  it('says the bits of a sample only where there are any', async () => {
    const bits = async (name: string, format: AudioFormat): Promise<number | null> =>
      (await metadata.describe(selectFile(folder, name, format).selected)).metadata.bitsPerSample;
    expect(await bits('pcm24.wav', 'wav')).toBe(24);
    expect(await bits('aac.m4a', 'mp4')).toBeNull();
  });

  it('reads RIFF INFO as Latin-1 where it is not UTF-8', async () => {
    const name = 'latin1.wav';
    await encode(join(folder, name), 1, ['-metadata', 'title=Caf_ X']);
    const file = await open(join(folder, name), 'r+');
    const content = await file.readFile();
    await file.write(Buffer.from([0xe9]), 0, 1, content.indexOf('Caf_') + 3);
    await file.close();
    const found = await metadata.describe(selectFile(folder, name, 'wav').selected);
    expect(found.metadata.title).toBe('Café X');
  });

  it('leaves the priming of an MP4 out of its duration, as its edit list says', async () => {
    const night = join(__dirname, '../../samples/Glass Harbour/Night Ferry');
    const input = ['-ss', '2.5', '-i', join(folder, 'aac.m4a')];
    await ffmpeg([...input, '-c', 'copy', join(folder, 'cut.m4a')]);
    for (const [where, name] of [
      [night, '02 Slow Water.m4a'],
      [folder, 'cut.m4a'],
    ] as const) {
      const probe = await ffprobe(join(where, name));
      const found = await metadata.describe(selectFile(where, name, 'mp4').selected);
      const differenceSeconds = (found.metadata.duration ?? 0) - Number(probe.format.duration);
      expect(Math.abs(differenceSeconds)).toBeLessThanOrEqual(0.005);
    }
  });

  it('says the channels of Opus in MP4', async () => {
    await encode(join(folder, 'opus.mp4'), 1, ['-ac', '1', '-c:a', 'libopus']);
    const found = await metadata.describe(selectFile(folder, 'opus.mp4', 'mp4').selected);
    expect(found.metadata).toMatchObject({ channels: 1, sampleRate: 48_000, duration: 1 });
  });

  it('reads AIFF text chunks as UTF-8, and as Latin-1 where they are not', async () => {
    const tags = ['-metadata', 'title=Títle', '-metadata', 'author=Ártist'];
    await encode(join(folder, 'text.aiff'), 1, tags);
    const content = await readFile(join(folder, 'text.aiff'));
    const author = Buffer.from('AUTH\0\0\0\x05Bj\xf6rk\0', 'latin1');
    const withAuthor = Buffer.concat([content.subarray(0, 12), author, content.subarray(12)]);
    await writeFile(join(folder, 'latin1.aiff'), withAuthor);
    const probe = await ffprobe(join(folder, 'text.aiff'));
    const utf8 = await metadata.describe(selectFile(folder, 'text.aiff', 'aiff').selected);
    const latin1 = await metadata.describe(selectFile(folder, 'latin1.aiff', 'aiff').selected);
    expect(utf8.metadata.title).toBe('Títle');
    expect(utf8.metadata.title).toBe(probe.format.tags?.title);
    expect(latin1.metadata.title).toBe('Títle');
    expect(latin1.metadata.artist).toBe('Björk, Ártist');
  });

  it('converts loudness tags', async () => {
    await encode(join(folder, 'gain.opus'), 1, ['-metadata', 'R128_TRACK_GAIN=-512']);
    const gains =
      'REPLAYGAIN_TRACK_GAIN=-6.50 dB,REPLAYGAIN_TRACK_PEAK=0.988,REPLAYGAIN_ALBUM_GAIN=-7';
    const args = gains.split(',').flatMap((gain) => ['-metadata', gain]);
    await encode(join(folder, 'gain.mp3'), 1, args);
    const opus = await metadata.describe(selectFile(folder, 'gain.opus', 'ogg').selected);
    const mp3 = await metadata.describe(selectFile(folder, 'gain.mp3', 'mp3').selected);
    expect(opus.metadata.replayGain).toEqual({
      trackGainDb: 3,
      trackPeak: null,
      albumGainDb: null,
      albumPeak: null,
    });
    expect(mp3.metadata.replayGain).toEqual({
      trackGainDb: -6.5,
      trackPeak: 0.988,
      albumGainDb: -7,
      albumPeak: null,
    });
  });
});

describe('describe() of tracks with pictures', () => {
  const withCover = ['cbr.mp3', 'a.flac', 'aac.m4a', 'a.aiff'] as const;

  beforeAll(async () => {
    const cover = join(folder, 'cover.png');
    await ffmpeg(['-f', 'lavfi', '-i', 'testsrc=s=600x600', '-frames:v', '1', cover]);
    const mapped = ['-map', '0:a', '-map', '1', '-c', 'copy', '-disposition:v', 'attached_pic'];
    await Promise.all(
      withCover.map((name) => {
        const id3 = name === 'a.aiff' ? ['-write_id3v2', '1'] : [];
        const output = join(folder, `cover-${name}`);
        return ffmpeg(['-i', join(folder, name), '-i', cover, ...mapped, ...id3, output]);
      }),
    );
    const attach = ['-attach', cover, '-metadata:s:t', 'mimetype=image/png', '-c', 'copy'];
    const webm = join(folder, 'cover-opus.webm');
    await ffmpeg(['-i', join(folder, 'opus.webm'), ...attach, '-f', 'matroska', webm]);
  });

  it.each([
    ['cbr.mp3', 'mp3'],
    ['a.flac', 'flac'],
    ['aac.m4a', 'mp4'],
    ['a.aiff', 'aiff'],
    ['opus.webm', 'webm'],
  ] as const)('sees the cover, and all else as without it: %s', async (name, format) => {
    const plain = (await metadata.describe(selectFile(folder, name, format).selected)).metadata;
    const { selected, usage } = selectFile(folder, `cover-${name}`, format);
    const { metadata: found } = await metadata.describe(selected);
    expect(found).toMatchObject({ hasArtwork: true, title: plain.title, artist: plain.artist });
    expect(found.duration).toBeCloseTo(plain.duration ?? 0, 1);
    expectWithin(0.02, found.bitrate, plain.bitrate);
    // the cover has 17 kB and is not among what was read
    expect(usage.readBytes).toBeLessThan(60_000);
  });

  it('neither reads a picture of 60 MB, nor misses what is behind it', async () => {
    const picture = Buffer.alloc(60 * MIB, 0xff);
    Buffer.from('\0image/png\0\x03\0', 'latin1').copy(picture);
    const tag = id3v2([
      ['APIC', picture],
      ['TIT2', Buffer.from('\x03Behind the picture')],
    ]);
    const audio = await readAudio('cbr-without-xing.mp3');
    await writeFile(join(folder, 'bomb.mp3'), Buffer.concat([tag, audio]));
    const { selected, usage } = selectFile(folder, 'bomb.mp3', 'mp3');
    const startedAt = performance.now();
    const { metadata: found } = await metadata.describe(selected);
    expect(found).toMatchObject({ title: 'Behind the picture', hasArtwork: true, bitrate: 128 });
    expect(found.duration).toBeCloseTo(SECONDS, 1);
    expect(found.warnings).toBeUndefined();
    expect(usage.readBytes).toBeLessThan(MIB);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  it.each([
    ['a.opus', 'ogg'],
    ['vorbis.ogg', 'ogg'],
  ] as const)('leaves a picture among the comments unread: %s', async (name, format) => {
    const header = Buffer.alloc(32);
    header.writeUInt32BE(3, 0);
    const picture = Buffer.concat([header, Buffer.alloc(3 * MIB)]).toString('base64');
    const list = `;FFMETADATA1\ntitle=T\nMETADATA_BLOCK_PICTURE=${picture.replaceAll('=', '\\=')}\nartist=Behind\n`;
    await writeFile(join(folder, 'list.txt'), list);
    const inputs = ['-i', join(folder, name), '-i', join(folder, 'list.txt')];
    const maps = ['-map_metadata', '1', '-map_metadata:s:a', '1', '-c', 'copy'];
    await ffmpeg([...inputs, ...maps, join(folder, `cover-${name}`)]);
    const { selected, usage } = selectFile(folder, `cover-${name}`, format);
    const { metadata: found } = await metadata.describe(selected);
    expect(found).toMatchObject({ title: 'T', artist: 'Behind', hasArtwork: true });
    expect(found.duration).toBeCloseTo(SECONDS, 1);
    expect(found.bitrate).toBeLessThan(200);
    expect(usage.readBytes).toBeLessThan(MIB);
  });

  it('undoes the unsynchronisation of an ID3v2.3 tag', async () => {
    const picture = Buffer.concat([
      Buffer.from('\0image/png\0\x03\0', 'latin1'),
      Buffer.alloc(500, 0xff),
    ]);
    const title = Buffer.from('\x01\xff\xfeÿ\0ÿ\0t\0', 'latin1');
    const plain = id3v2([
      ['APIC', picture],
      ['TIT2', title],
    ]);
    const content = plain.subarray(10).toString('latin1').replaceAll('\xff', '\xff\0');
    const tag = Buffer.concat([id3v2Header(content.length, 0x80), Buffer.from(content, 'latin1')]);
    const audio = await readAudio('cbr-without-xing.mp3');
    await writeFile(join(folder, 'unsync.mp3'), Buffer.concat([tag, audio]));
    const found = await metadata.describe(selectFile(folder, 'unsync.mp3', 'mp3').selected);
    expect(found.metadata).toMatchObject({ title: 'ÿÿt', hasArtwork: true });
  });

  async function readAudio(name: string): Promise<Buffer> {
    const content = await readFile(join(folder, name));
    const sizes = [6, 7, 8, 9].map((i) => content.readUInt8(i));
    return content.subarray(10 + sizes.reduce((sum, byte) => sum * 128 + byte, 0));
  }
});

describe('describe() of long tracks', () => {
  it.each([
    ['mp3', ['-c:a', 'libmp3lame', '-q:a', '2', '-write_xing', '0', '-id3v2_version', '0']],
    ['aac', ['-c:a', 'aac', '-b:a', '256k']],
  ] as const)('knows the duration of three hours without an index: %s', async (format, args) => {
    await encode(join(folder, `part.${format}`), 20, args);
    const part = await readFile(join(folder, `part.${format}`));
    const repeats = 540;
    const name = `long.${format}`;
    const file = await open(join(folder, name), 'w');
    for (let i = 0; i < repeats; i += 1) await file.write(part);
    await file.close();
    const one = await metadata.describe(selectFile(folder, `part.${format}`, format).selected);
    const { selected, usage } = selectFile(folder, name, format);
    const { metadata: found } = await metadata.describe(selected);
    expect(found.warnings).toBeUndefined();
    expectWithin(0.01, found.duration, (one.metadata.duration ?? 0) * repeats);
    expect(usage.readBytes).toBeLessThan(20 * MIB);
    await rm(join(folder, name));
  });
});

describe('describe() of hostile files', () => {
  it.each<readonly [string, AudioFormat, Buffer]>([
    ['an ID3 tag of 256 MiB that is not there', 'mp3', id3v2Header(0xfffffff)],
    ['an MP4 atom of 549 GB', 'mp4', box('moov', Buffer.alloc(0), 0x7fffffffff)],
    ['an MP4 with 2^32 sample descriptions', 'mp4', stsdBomb()],
    ['an ASF header that goes on for ever', 'wma', asfLoop()],
    ['text', 'mp3', Buffer.from('This is not a song. '.repeat(500))],
    ['random bytes', 'mp3', pseudoRandom(300_000)],
    ['random bytes', 'ogg', pseudoRandom(300_000)],
    [
      'random bytes behind a true beginning',
      'flac',
      Buffer.concat([Buffer.from('fLaC'), pseudoRandom(90_000)]),
    ],
    ['nested WebM without sizes', 'webm', webmBomb()],
    ['zeros', 'wav', Buffer.alloc(4096)],
  ])('answers what is known: %s (%s)', async (what, format, content) => {
    const name = `${what.replaceAll(/\W+/g, '-')}.${format}`;
    await writeFile(join(folder, name), content);
    const { selected, usage } = selectFile(folder, name, format);
    const startedAt = performance.now();
    const { metadata: found, isFinal } = await metadata.describe(selected);
    expect(performance.now() - startedAt).toBeLessThan(1500);
    expect(isFinal).toBe(true);
    expect(found).toMatchObject({ title: selected.id, artist: 'Unknown Artist', duration: null });
    expect(found.warnings?.length).toBeGreaterThan(0);
    expect(JSON.stringify(found)).not.toContain(folder);
    expect(usage.openReads).toBe(0);
  });

  it('answers for a file of nothing', async () => {
    await writeFile(join(folder, 'empty.mp3'), '');
    const { metadata: found } = await metadata.describe(
      selectFile(folder, 'empty.mp3', 'mp3').selected,
    );
    expect(found).toMatchObject({ title: 'empty', size: 0, warnings: ['The track is empty.'] });
  });

  it('reads 64 MB at the most of a file that is all tag', async () => {
    const name = 'sparse.flac';
    // 4 GiB of zeros are a FLAC file of metadata blocks without end
    await writeFile(join(folder, name), 'fLaC');
    await truncate(join(folder, name), 4096 * MIB);
    const { selected, usage } = selectFile(folder, name, 'flac');
    const { metadata: found } = await metadata.describe(selected);
    expect(found.duration).toBeNull();
    expect(usage.readBytes).toBeLessThanOrEqual(64 * MIB);
  });
});

describe('createTagReader()', () => {
  it('ends a thread that spins after two seconds, while the event loop goes on', async () => {
    const workerFile = join(folder, 'spin.js');
    const mark = join(folder, 'spinning');
    await writeFile(
      workerFile,
      `const { parentPort } = require('node:worker_threads');
       parentPort.on('message', () => {
         require('node:fs').writeFileSync(${JSON.stringify(mark)}, '');
         for (;;);
       });
       parentPort.postMessage({ kind: 'ready' });`,
    );
    const reader = createTagReader({ workerFile });
    const { selected } = selectFile(folder, 'a.flac', 'flac');
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const startedAt = performance.now();
    const first = createMetadataService({ tagReader: reader }).describe(selected);
    const reading = expect(reader.read(selected.track, 'flac')).rejects.toMatchObject({
      reason: 'timeout',
    });
    // a slow machine may take long to start it
    await until(() => existsSync(mark), 'it spins');
    const spinsAt = performance.now();
    await reading;
    const endedAt = performance.now();
    delay.disable();
    expect(endedAt - startedAt).toBeGreaterThan(1900);
    expect(endedAt - spinsAt).toBeLessThan(2600);
    expect(delay.percentile(99) / 1e6).toBeLessThan(100);
    expect(await first).toMatchObject({
      isFinal: false,
      metadata: { title: 'a', warnings: ['Reading the tags took too long.'] },
    });
    await reader.close();
  });

  it('goes on with a fresh thread after one crashed or used up its heap', async () => {
    const workerFile = join(folder, 'crash.js');
    await writeFile(
      workerFile,
      `const { parentPort } = require('node:worker_threads');
       parentPort.on('message', ({ format }) => {
         if (format === 'mp3') throw new Error('bug');
         if (format === 'flac') for (const all = []; ; ) all.push(new Array(1e5).fill(1.5));
         parentPort.postMessage({ kind: 'parsed', tags: { env: Object.keys(process.env) } });
       });
       parentPort.postMessage({ kind: 'ready' });`,
    );
    const reader = createTagReader({ workerFile });
    const { track } = selectFile(folder, 'a.flac', 'flac').selected;
    const failed = { reason: 'crashed' };
    await expect(reader.read(track, 'mp3')).rejects.toMatchObject(failed);
    await expect(reader.read(track, 'flac')).rejects.toMatchObject(failed);
    // and no thread sees the environment, where the secrets are
    expect(await reader.read(track, 'wav')).toEqual({ env: [] });
    await reader.close();
  });

  it('lets a thread load before it ends it, or Node 20 may abort with it', async () => {
    const { workerFile, marks } = await loadFor(300);
    const reader = createTagReader({ workerFile });
    const { track } = selectFile(folder, 'a.flac', 'flac').selected;
    const reading = expect(reader.read(track, 'flac')).rejects.toMatchObject({ reason: 'closed' });
    await until(async () => (await marks()) === 'loading\n', 'the thread loads');
    await reader.close();
    expect(await marks()).toBe('loading\nloaded\n');
    await reading;
  });

  it('keeps a thread that takes long to load, for whoever comes next', async () => {
    const { workerFile, marks } = await loadFor(300);
    const reader = createTagReader({ workerFile, startTimeoutMs: 100 });
    const { track } = selectFile(folder, 'a.flac', 'flac').selected;
    await expect(reader.read(track, 'flac')).rejects.toMatchObject({ reason: 'timeout' });
    await until(async () => (await marks()) === 'loading\nloaded\n', 'the thread has loaded');
    let found: unknown;
    await until(async () => {
      // on a slow machine the news of it takes longer than this one waits, too
      found = await reader.read(track, 'wav').catch(() => undefined);
      return found !== undefined;
    }, 'it reads');
    expect(found).toEqual({ format: 'wav' });
    expect(await marks()).toBe('loading\nloaded\n');
    await reader.close();
  });

  it('keeps nothing of what it has read while its threads live on', async () => {
    const reader = createTagReader();
    const { track } = selectFile(folder, 'a.flac', 'flac').selected;
    const read = async (): Promise<WeakRef<object>> =>
      new WeakRef(await reader.read(track, 'flac'));
    const results: WeakRef<object>[] = [];
    for (let i = 0; i < 20; i += 1) results.push(await read());
    await until(() => {
      collectGarbage();
      // the conversation that was last may still hold what it said
      return results.filter((result) => result.deref() !== undefined).length <= 1;
    }, 'what was read is given free');
    await reader.close();
  });

  it('reads for nobody who waits one track at a time, and behind all others', async () => {
    // answers `parsed` when it gets its bytes, so that the order is decided here
    const workerFile = join(folder, 'held.js');
    await writeFile(
      workerFile,
      `const { parentPort } = require('node:worker_threads');
       parentPort.on('message', ({ kind }) => {
         if (kind === 'parse') parentPort.postMessage({ kind: 'read', position: 0, lengthBytes: 1 });
         if (kind === 'bytes') parentPort.postMessage({ kind: 'parsed', tags: {} });
       });
       parentPort.postMessage({ kind: 'ready' });`,
    );
    const reader = createTagReader({ workerFile, timeoutMs: 60_000 });
    const started: string[] = [];
    const release = new Map<string, () => void>();
    const held = (name: string) => ({
      sizeBytes: 1,
      read: () => {
        started.push(name);
        const bytes = new Readable({ read: () => undefined });
        release.set(name, () => {
          bytes.push(Buffer.of(0));
          bytes.push(null);
        });
        return bytes;
      },
    });
    const behind = ['b1', 'b2'].map((name) => reader.readBehind(held(name), 'mp3'));
    const front = ['f1', 'f2', 'f3'].map((name) => reader.read(held(name), 'mp3'));
    const order = ['b1', 'f1', 'f2', 'f3', 'b2'];
    await until(() => started.length === 2, 'one of each is read');
    for (const [i, name] of order.entries()) {
      expect(started).toEqual(expect.arrayContaining(order.slice(0, i + 1)));
      // two threads, and b2 has none of them while a listener waits
      expect(started.length).toBeLessThanOrEqual(i + 2);
      expect(started.includes('b2')).toBe(started.length === 5);
      release.get(name)?.();
      await until(() => started.length >= Math.min(i + 3, 5), 'the next is read');
    }
    await Promise.all([...behind, ...front]);
    await reader.close();
  });

  it('gives up when the store does, and leaves no read behind', async () => {
    const { selected } = selectFile(folder, 'a.flac', 'flac');
    const broken = { ...selected.track, read: () => Readable.from(failAfter(100)) };
    const failure = tagReader.read(broken, 'flac');
    await expect(failure).rejects.toMatchObject({ reason: 'unreadable' });
    const shrunk = { ...selected.track, sizeBytes: selected.track.sizeBytes * 2 };
    await expect(tagReader.read(shrunk, 'mp3')).rejects.toBeInstanceOf(TagReadingFailed);
    expect((await metadata.describe(selected)).isFinal).toBe(true);
  });

  it('ends a read that hangs, and only then settles', async () => {
    // of which a thread that is new needs some to come to its first read
    const reader = createTagReader({ timeoutMs: 1_500 });
    const { selected } = selectFile(folder, 'a.flac', 'flac');
    const reads: Readable[] = [];
    const read = (_range: unknown, signal?: AbortSignal): Readable => {
      const hanging = new Readable({ read: () => undefined, ...(signal ? { signal } : {}) });
      reads.push(hanging);
      return hanging;
    };
    await expect(reader.read({ ...selected.track, read }, 'flac')).rejects.toMatchObject({
      reason: 'timeout',
    });
    expect(reads.map(({ destroyed }) => destroyed)).toEqual([true]);
    await reader.close();
  });

  it('works on two tracks at a time, lets some wait, and refuses more', async () => {
    const reader = createTagReader({ mostWaiting: 3 });
    const { track } = selectFile(folder, 'a.flac', 'flac').selected;
    let open = 0;
    let mostOpen = 0;
    const read: typeof track.read = (range, signal) => {
      open += 1;
      mostOpen = Math.max(mostOpen, open);
      return track.read(range, signal).once('close', () => (open -= 1));
    };
    const reading = Array.from({ length: 6 }, () => reader.read({ ...track, read }, 'flac'));
    const outcomes = await Promise.allSettled(reading);
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...Array<string>(5).fill('fulfilled'),
      'rejected',
    ]);
    expect(outcomes[5]).toMatchObject({ reason: { code: 'overloaded' } });
    expect(mostOpen).toBeLessThanOrEqual(2);
    await reader.close();
  });

  it('rejects what runs and waits when it is closed, and all that comes later', async () => {
    const reader = createTagReader();
    const { track } = selectFile(folder, 'a.flac', 'flac').selected;
    let started: (() => void) | undefined;
    const oneStarted = new Promise<void>((resolve) => (started = resolve));
    const read: typeof track.read = (_range, signal) => {
      started?.();
      return new Readable({ read: () => undefined, ...(signal ? { signal } : {}) });
    };
    const reading = [1, 2, 3].map(() => reader.read({ ...track, read }, 'flac'));
    const outcomes = Promise.allSettled(reading);
    await oneStarted;
    await reader.close();
    expect(await outcomes).toMatchObject([
      { reason: { reason: 'closed' } },
      { reason: { reason: 'closed' } },
      { reason: { code: 'overloaded' } },
    ]);
    await expect(reader.read(track, 'flac')).rejects.toMatchObject({ code: 'overloaded' });
  });
});

/** A thread that cannot do anything else while it loads, and writes down how far it is. */
async function loadFor(
  ms: number,
): Promise<{ readonly workerFile: string; readonly marks: () => Promise<string> }> {
  const name = `load-${randomUUID()}`;
  const workerFile = join(folder, `${name}.js`);
  const marksFile = join(folder, `${name}.txt`);
  await writeFile(marksFile, '');
  await writeFile(
    workerFile,
    `const { appendFileSync } = require('node:fs');
     const { parentPort } = require('node:worker_threads');
     appendFileSync(${JSON.stringify(marksFile)}, 'loading\\n');
     Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${ms});
     appendFileSync(${JSON.stringify(marksFile)}, 'loaded\\n');
     parentPort.on('message', ({ format }) => {
       parentPort.postMessage({ kind: 'parsed', tags: { format } });
     });
     parentPort.postMessage({ kind: 'ready' });`,
  );
  return { workerFile, marks: () => readFile(marksFile, 'utf8') };
}

describe('createCachedMetadata() with a real Redis', () => {
  let redis: Redis;

  beforeAll(() => {
    redis = new Redis(process.env.TEST_REDIS_URL ?? '');
  });

  afterAll(() => {
    redis.disconnect();
  });

  function createCached() {
    let parses = 0;
    const counting: Pick<TagReader, 'read'> = {
      read(track, format) {
        parses += 1;
        return tagReader.read(track, format);
      },
    };
    const cached = createCachedMetadata({
      metadata: createMetadataService({ tagReader: counting }),
      redis: { run: (command) => command(redis) },
      ttlSeconds: 60,
    });
    return { cached, countParses: () => parses };
  }

  async function untilStored(key: string): Promise<void> {
    while ((await redis.ttl(key)) < 0) await new Promise((resolve) => setImmediate(resolve));
  }

  it('parses once for 200 who ask at the same time, and not at all for the next process', async () => {
    const { selected } = selectFile(folder, 'vbr.mp3', 'mp3');
    const key = metadataKey(selected.id, selected.entityTag, METADATA_SHAPE_VERSION);
    await redis.del(key);
    const { cached, countParses } = createCached();
    const all = await Promise.all(Array.from({ length: 200 }, () => cached.describe(selected)));
    expect(countParses()).toBe(1);
    expect(new Set(all.map((one) => JSON.stringify(one))).size).toBe(1);
    await untilStored(key);
    expect(await redis.ttl(key)).toBeLessThanOrEqual(60);

    const next = createCached();
    expect(await next.cached.describe(selected)).toEqual(all[0]);
    expect(next.countParses()).toBe(0);
  });

  it.each<readonly [string, (good: string) => Buffer | string]>([
    ['no JSON', () => '{"id":'],
    ['no object', () => '"text"'],
    ['of another shape', (good) => good.replace('"duration":', '"length":')],
    ['with a field more', (good) => good.replace('{', '{"isAdmin":true,')],
    ['with a field of another type', (good) => good.replace(/"title":"[^"]*"/, '"title":{}')],
    ['of another track', (good) => good.replace('"id":"vbr"', '"id":"cbr"')],
    ['of another version', (good) => good.replace(/"etag":"[^,]*"/, '"etag":"\\"old\\""')],
    ['not UTF-8', () => Buffer.alloc(1000, 0xff)],
    ['100 MB long', () => Buffer.alloc(100 * MIB, 0x20)],
  ])('reads the track when the cached value is %s', async (_, poison) => {
    const { selected } = selectFile(folder, 'vbr.mp3', 'mp3');
    const key = metadataKey(selected.id, selected.entityTag, METADATA_SHAPE_VERSION);
    const { metadata: good } = await metadata.describe(selected);
    await redis.set(key, poison(JSON.stringify(good)));
    const startedAt = performance.now();
    const { cached, countParses } = createCached();
    expect(await cached.describe(selected)).toEqual({ metadata: good, isFinal: true });
    expect(performance.now() - startedAt).toBeLessThan(1000);
    expect(countParses()).toBe(1);
    await untilStored(key);
    expect(await redis.get(key)).toBe(JSON.stringify(good));
  });

  it('reads the track when the key holds something of another kind', async () => {
    const { selected } = selectFile(folder, 'vbr.mp3', 'mp3');
    const key = metadataKey(selected.id, selected.entityTag, METADATA_SHAPE_VERSION);
    await redis.del(key);
    await redis.lpush(key, 'x');
    const { cached, countParses } = createCached();
    expect((await cached.describe(selected)).metadata.title).toBe(TAGS.title);
    expect(countParses()).toBe(1);
  });
});

function expectWithin(share: number, found: number | null, expected: number | null): void {
  expect(expected).toBeGreaterThan(0);
  expect(Math.abs((found ?? 0) / (expected ?? 1) - 1)).toBeLessThanOrEqual(share);
}

function id3v2Header(contentBytes: number, flags = 0): Buffer {
  const size = [21, 14, 7, 0].map((shift) => (contentBytes >> shift) & 0x7f);
  return Buffer.from([0x49, 0x44, 0x33, 3, 0, flags, ...size]);
}

function id3v2(frames: readonly (readonly [string, Buffer])[]): Buffer {
  const parts = frames.flatMap(([id, content]) => {
    const header = Buffer.alloc(10);
    header.write(id, 'latin1');
    header.writeUInt32BE(content.length, 4);
    return [header, content];
  });
  const content = Buffer.concat(parts);
  return Buffer.concat([id3v2Header(content.length), content]);
}

function box(name: string, content: Buffer, claimedBytes?: number): Buffer {
  const header = Buffer.alloc(claimedBytes === undefined ? 8 : 16);
  header.writeUInt32BE(claimedBytes === undefined ? content.length + 8 : 1);
  header.write(name, 4, 'latin1');
  if (claimedBytes !== undefined) header.writeBigUInt64BE(BigInt(claimedBytes), 8);
  return Buffer.concat([header, content]);
}

function stsdBomb(): Buffer {
  const stsd = box('stsd', Buffer.from([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]));
  const ftyp = box('ftyp', Buffer.from('M4A \0\0\0\0', 'latin1'));
  const mdia = box('mdia', box('minf', box('stbl', stsd)));
  return Buffer.concat([ftyp, box('moov', box('trak', mdia))]);
}

function asfLoop(): Buffer {
  const header = Buffer.alloc(30);
  Buffer.from('3026b2758e66cf11a6d900aa0062ce6c', 'hex').copy(header);
  header.writeBigUInt64LE(100_000n, 16);
  header.writeUInt32LE(10_000, 24);
  // objects of size 0
  return Buffer.concat([header, Buffer.alloc(100_000)]);
}

function webmBomb(): Buffer {
  const ebml = Buffer.from('1a45dfa3804285', 'hex').subarray(0, 5);
  const segment = Buffer.from('1853806701ffffffffffffff', 'hex');
  const cluster = Buffer.from('1f43b67501ffffffffffffff', 'hex');
  return Buffer.concat([ebml, segment, ...Array<Buffer>(50_000).fill(cluster)]);
}

function pseudoRandom(sizeBytes: number): Buffer {
  let state = 12345;
  return Buffer.from(
    Uint8Array.from({ length: sizeBytes }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state >>> 16;
    }),
  );
}

async function* failAfter(bytes: number): AsyncGenerator<Buffer> {
  yield await Promise.resolve(Buffer.alloc(bytes));
  throw new Error('the disk is gone');
}
