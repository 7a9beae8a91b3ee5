import { type Ffmpeg } from '../../../src/adapters/ffmpeg';
import { createHlsPackager } from '../../../src/services/hls-packager';
import { type Description, type MetadataService } from '../../../src/services/metadata-service';
import { type SelectedTrack } from '../../../src/services/track-source';

const master = { query: new URLSearchParams(), params: {}, accept: undefined };

function ffmpegWith(...encoders: string[]): Ffmpeg {
  const run = (): Promise<string> => Promise.reject(new Error('a playlist needs no run'));
  return { version: '1', encoders: new Set(encoders), run };
}

function trackOf(entityTag: string): SelectedTrack {
  const track = { fileName: 'song.flac', mtimeNs: 0n } as SelectedTrack['track'];
  return { id: 'song', format: 'flac', entityTag, track };
}

/** Counts how often a track is looked into. */
function createMetadata(): { readonly metadata: MetadataService; readonly asked: string[] } {
  const asked: string[] = [];
  const sound = {
    ...{ duration: 10, sampleCount: 441_000, sampleRate: 44_100, channels: 2 },
    ...{ lossless: true, bitsPerSample: 16, bitrate: 900 },
  };
  const metadata = {
    describe({ entityTag }: SelectedTrack) {
      asked.push(entityTag);
      return Promise.resolve({ metadata: sound, isFinal: true });
    },
  } as unknown as MetadataService;
  return { metadata, asked };
}

describe('createHlsPackager()', () => {
  it('looks into a track once for each of its states', async () => {
    const { metadata, asked } = createMetadata();
    const derive = createHlsPackager({ metadata, ffmpeg: ffmpegWith('aac') });
    for (const tag of ['"a"', '"a"', '"b"', '"a"']) await derive(trackOf(tag), master);
    expect(asked).toEqual(['"a"', '"b"']);
  });

  it('asks to try again where a track could not be read this time', async () => {
    const { metadata } = createMetadata();
    const unread = { sampleRate: null, duration: null };
    metadata.describe = () => Promise.resolve({ metadata: unread, isFinal: false } as Description);
    const derive = createHlsPackager({ metadata, ffmpeg: ffmpegWith('aac') });
    await expect(derive(trackOf('"a"'), master)).rejects.toMatchObject({
      code: 'track_unavailable',
    });
  });

  it.each([
    ['there is no ffmpeg', undefined],
    ['ffmpeg has no encoder for AAC', ffmpegWith('libmp3lame')],
  ])('is not available where %s', async (_, ffmpeg) => {
    const { metadata, asked } = createMetadata();
    const derive = createHlsPackager({ metadata, ffmpeg });
    await expect(derive(trackOf('"a"'), master)).rejects.toMatchObject({
      code: 'ffmpeg_unavailable',
    });
    expect(asked).toEqual([]);
  });
});
