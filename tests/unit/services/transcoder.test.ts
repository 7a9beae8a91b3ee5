import { Readable } from 'node:stream';
import { type Ffmpeg, type FfmpegCommand } from '../../../src/adapters/ffmpeg';
import { AppError } from '../../../src/errors';
import { type Derivation } from '../../../src/services/derivation';
import { type LoudnessMeter } from '../../../src/services/loudness-meter';
import { type MetadataService, type TrackMetadata } from '../../../src/services/metadata-service';
import { type Recipe } from '../../../src/services/production';
import { type SelectedTrack } from '../../../src/services/track-source';
import { createTranscoder } from '../../../src/services/transcoder';

const NEVER = new AbortController().signal;

const selected = {
  id: 'song',
  format: 'flac',
  entityTag: '"abc"',
  track: {
    ...{ fileName: 'song.flac', extension: 'flac', sizeBytes: 9, mtimeNs: 0n, descriptor: 9 },
    read: () => Readable.from([Buffer.alloc(9)]),
  },
} as unknown as SelectedTrack;

interface Setting {
  readonly loudness?: { integratedLufs: number | null; truePeakDbtp: number | null };
  readonly sound?: Partial<TrackMetadata>;
  readonly encoders?: readonly string[];
  readonly output?: Buffer;
}

const ALL = ['libmp3lame', 'aac', 'libopus', 'flac', 'pcm_s16le', 'pcm_s24le'];

function createWith({ loudness, sound, encoders = ALL, output = Buffer.alloc(100) }: Setting = {}) {
  const jobs: FfmpegCommand[] = [];
  const ffmpeg: Ffmpeg = {
    version: '5.1',
    encoders: new Set(encoders),
    async run(job, onOutput) {
      jobs.push(job);
      await onOutput(output);
      return '';
    },
  };
  const metadata = {
    ...{ duration: 10, sampleCount: 441_000, sampleRate: 44_100, channels: 2 },
    ...{ lossless: true, bitsPerSample: 16, bitrate: 900, ...sound },
  } as TrackMetadata;
  const service: MetadataService = {
    describe: () => Promise.resolve({ metadata, isFinal: true }),
  };
  const measureInPlace = jest
    .fn<Promise<unknown>, Parameters<LoudnessMeter['measureInPlace']>>()
    .mockResolvedValue(loudness ?? { integratedLufs: null, truePeakDbtp: null });
  const meter = { measureInPlace } as unknown as LoudnessMeter;
  const transcode = createTranscoder({
    ffmpeg,
    metadata: service,
    meter,
    targetLufs: -14,
  });
  const derive = (query: string) =>
    transcode(selected, { query: new URLSearchParams(query), params: {}, accept: undefined });
  return { derive, jobs, measureInPlace };
}

async function produce(setting: Setting, query: string): Promise<FfmpegCommand> {
  const { derive, jobs } = createWith(setting);
  const recipe = ((await derive(query)) as Derivation).content as Recipe;
  await recipe.produce(() => Promise.resolve(), NEVER);
  return jobs[0]!;
}

describe('createTranscoder() with gain=track', () => {
  it.each([
    ['louder, to the target', -20, -10, '6.00dB'],
    ['louder, as far as the peaks allow', -20, -3, '2.00dB'],
    ['quieter, to the target', -8, -4, '-6.00dB'],
    ['quieter for its peaks alone', -14, 0.5, '-1.50dB'],
    ['as it is where nothing was heard', null, null, '0.00dB'],
  ])('makes the track %s', async (_, integratedLufs, truePeakDbtp, change) => {
    const loudness = { integratedLufs, truePeakDbtp };
    const { filter } = await produce({ loudness }, 'format=wav&gain=track');
    expect(filter).toMatch(new RegExp(`^volume=${change.replace('.', '\\.')},aresample=44100:`));
  });

  it.each([
    [6, 'format=mp3', 2],
    [6, 'format=mp3&channels=1', 1],
    [2, 'format=mp3&channels=1', 1],
    [2, 'format=mp3', undefined],
    [1, 'format=mp3&channels=2', undefined],
  ] as const)('measures of %i channels, for %s, a mix to %j', async (channels, query, mix) => {
    const { derive, measureInPlace } = createWith({ sound: { channels } });
    const { content } = (await derive(`${query}&gain=track`)) as Derivation;
    await (content as Recipe).produce(() => Promise.resolve(), NEVER);
    expect(measureInPlace).toHaveBeenCalledWith(selected, NEVER, mix);
  });

  it('is another output than without', async () => {
    const { derive } = createWith();
    const [plain, leveled] = (await Promise.all(
      ['format=mp3', 'format=mp3&gain=track'].map(derive),
    )) as [Derivation, Derivation];
    expect(leveled.representation.entityTag).not.toBe(plain.representation.entityTag);
    expect((leveled.content as Recipe).key).not.toBe((plain.content as Recipe).key);
  });
});

describe('createTranscoder()', () => {
  it('knows the length of MP3, Opus and WAV before they are made', async () => {
    const { derive } = createWith();
    const lengths = await Promise.all(
      ['mp3&bitrate=128', 'opus&bitrate=96', 'wav', 'aac', 'flac'].map(async (form) => {
        const derivation = (await derive(`format=${form}`)) as Derivation;
        return [(derivation.content as Recipe).lengthBytes, derivation.isUnboundedUntilWhole];
      }),
    );
    expect(lengths).toEqual([
      [expect.any(Number), false],
      [expect.any(Number), true],
      [44 + 441_000 * 4, false],
      [undefined, false],
      [undefined, false],
    ]);
  });

  it('promises no length where that of the track is an estimate', async () => {
    const { derive } = createWith({ sound: { sampleCount: null, lossless: false } });
    const { content } = (await derive('format=mp3')) as Derivation;
    expect((content as Recipe).lengthBytes).toBeUndefined();
  });

  it('takes a track for its samples, however its duration is rounded', async () => {
    const { derive } = createWith({ sound: { duration: 0, sampleCount: 1 } });
    const { content } = (await derive('format=wav')) as Derivation;
    expect((content as Recipe).lengthBytes).toBe(44 + 4);
    await expect(derive('format=wav&start=0.001')).rejects.toMatchObject({ code: 'bad_request' });
  });

  it.each([
    [{ sound: { lossless: false } }, 'format=flac', 'bad_request'],
    [{ sound: { lossless: null } }, 'format=wav', 'bad_request'],
    [{}, 'format=mp3&start=10', 'bad_request'],
    [{ sound: { sampleCount: null } }, 'format=wav', 'bad_request'],
    [{ sound: { sampleCount: 2 ** 31 } }, 'format=wav', 'bad_request'],
    [{ sound: { sampleRate: null } }, 'format=mp3', 'track_undecodable'],
    [{ encoders: ['aac'] }, 'format=mp3', 'ffmpeg_unavailable'],
  ] as const)('of %j refuses %s as %s', async (setting, query, code) => {
    await expect(createWith(setting).derive(query)).rejects.toMatchObject({ code });
  });

  it.each([
    ['aac', Buffer.from('\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov', 'latin1')],
    ['opus', Buffer.alloc(121)],
    ['flac', Buffer.concat([Buffer.from('fLaC\x80\0\0\x22', 'latin1'), Buffer.alloc(34)])],
  ])('takes a container without sound for no success: %s', async (format, output) => {
    const failure = produce({ output }, `format=${format}`);
    await expect(failure).rejects.toEqual(
      new AppError('track_undecodable', 'No sound could be decoded from the track'),
    );
  });
});
