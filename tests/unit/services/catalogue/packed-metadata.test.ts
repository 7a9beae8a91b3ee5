import { execFileSync } from 'node:child_process';
import { indexTrack } from '../../../../src/services/catalogue/describe-track';
import { packMetadata, unpackMetadata } from '../../../../src/services/catalogue/packed-metadata';
import { type TrackMetadata } from '../../../../src/services/metadata-service';

const METADATA: TrackMetadata = {
  id: 'Artist/01 Sóng',
  title: 'Title',
  artist: 'Ärtist',
  album: null,
  albumArtist: null,
  year: 1999,
  genre: null,
  trackNumber: null,
  discNumber: null,
  duration: 12.5,
  sampleCount: null,
  bitrate: 128,
  format: 'mp3',
  codec: 'mp3',
  container: 'MPEG',
  sampleRate: 44_100,
  channels: 2,
  bitsPerSample: null,
  lossless: false,
  size: 1,
  hasArtwork: false,
  replayGain: { trackGainDb: 1, trackPeak: null, albumGainDb: null, albumPeak: null },
  lastModified: '2026-01-01T00:00:00.000Z',
  etag: '"1-2"',
};

describe('packMetadata()', () => {
  it('takes no more memory than its text and what every string has', () => {
    const program = [
      '--require',
      require.resolve('ts-node/register/transpile-only'),
      require.resolve('../../../support/packed-memory'),
    ];
    const printed = execFileSync(process.execPath, [...program, JSON.stringify(METADATA)]);
    const { bytesEach, length } = JSON.parse(printed.toString()) as Record<string, number>;
    expect(bytesEach).toBeGreaterThan(Number(length));
    expect(bytesEach).toBeLessThan(Number(length) + 40);
  });
});

describe('unpackMetadata()', () => {
  it.each([
    ['without what is left out', METADATA],
    ['with a warning', { ...METADATA, warnings: ['Some tags could not be read.'] }],
    ['with an estimate', { ...METADATA, durationIsEstimate: true as const }],
  ])('gives back what was packed, %s, in the same order', (_, metadata) => {
    const unpacked = unpackMetadata(metadata.id, packMetadata(metadata));
    expect(unpacked).toEqual(metadata);
    expect(Object.keys(unpacked)[0]).toBe('id');
    expect(Object.keys(unpacked).slice(0, 10)).toEqual(Object.keys(METADATA).slice(0, 10));
  });

  it('leaves out what was measured', () => {
    const loudness = { integratedLufs: -9, rangeLu: 1, truePeakDbtp: -1, replayGain: null };
    const metadata = { ...METADATA, loudness } as unknown as TrackMetadata;
    expect(unpackMetadata(metadata.id, packMetadata(metadata))).toEqual(METADATA);
  });
});

describe('indexTrack()', () => {
  it('searches title, artist, album and the name of the file without its extension', () => {
    const { searched } = indexTrack({ ...METADATA, album: 'Älbum' }, '01 Sóng.live.opus');
    expect(searched.split('\n')).toEqual(['title', 'artist', 'album', '01 song.live']);
  });
});
