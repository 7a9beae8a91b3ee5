import {
  formatMasterPlaylist,
  formatMediaPlaylist,
  mostSegmentBytes,
  variantBitRates,
} from '../../../../src/audio/hls/playlists';
import { planSegments, segmentOf } from '../../../../src/audio/hls/segment-plan';

describe('variantBitRates()', () => {
  it.each([
    ['all of a lossless source', undefined, 44_100, 2, [64_000, 128_000, 256_000]],
    ['none above the source', 192_000, 44_100, 2, [64_000, 128_000]],
    ['one as high as the source', 256_000, 44_100, 2, [64_000, 128_000, 256_000]],
    ['one of their own rate to sources below all', 37_400, 44_100, 2, [37_000]],
    ['nothing below what the encoder obeys', 6_000, 48_000, 1, [16_000]],
    ['nothing below that for two channels', 24_000, 48_000, 2, [32_000]],
    ['what AAC has frames for where that is less than all', undefined, 8_000, 1, [48_000]],
    ['none that AAC has no frames for', undefined, 16_000, 1, [64_000]],
    ['256 kbit/s for one channel at 44.1 kHz', undefined, 44_100, 1, [64_000, 128_000, 256_000]],
  ] as const)('offers %s', (_, sourceBitRateBps, sampleRateHz, channels, expected) => {
    expect(variantBitRates({ sourceBitRateBps, sampleRateHz, channels })).toEqual(expected);
  });
});

describe('formatMasterPlaylist()', () => {
  it('lists the variants with the URLs it is given', () => {
    const mediaUrl = (bitRateBps: number): string => `${bitRateBps / 1000}/media.m3u8?t=1`;
    const options = { bitRatesBps: [64_000, 128_000], sampleRateHz: 44_100, mediaUrl };
    expect(formatMasterPlaylist(options)).toBe(
      [
        '#EXTM3U',
        '#EXT-X-VERSION:7',
        '#EXT-X-INDEPENDENT-SEGMENTS',
        '#EXT-X-STREAM-INF:BANDWIDTH=81629,AVERAGE-BANDWIDTH=65629,CODECS="mp4a.40.2"',
        '64/media.m3u8?t=1',
        '#EXT-X-STREAM-INF:BANDWIDTH=161629,AVERAGE-BANDWIDTH=129629,CODECS="mp4a.40.2"',
        '128/media.m3u8?t=1',
        '',
      ].join('\n'),
    );
  });
});

describe('mostSegmentBytes()', () => {
  const plan = planSegments(44_100, 44_100 * 13);
  const most = (number: number): number => mostSegmentBytes(plan, segmentOf(plan, number)!, 64_000);

  it('is what BANDWIDTH allows for the time of the segment', () => {
    expect(most(1)).toBe(Math.floor((81_629 * ((258 * 1024) / 44_100)) / 8));
  });

  it('is that of half a segment for a short one at the end', () => {
    expect(most(2)).toBe(Math.floor((81_629 * ((129 * 1024) / 44_100)) / 8));
  });
});

describe('formatMediaPlaylist()', () => {
  const urls = {
    initUrl: 'init.mp4?t=1',
    segmentUrl: (number: number): string => `${number}.m4s?t=1`,
  };

  it('lists every segment at once, and its end', () => {
    const plan = planSegments(44_100, 44_100 * 13);
    expect(formatMediaPlaylist({ plan, ...urls })).toBe(
      [
        '#EXTM3U',
        '#EXT-X-VERSION:7',
        '#EXT-X-TARGETDURATION:6',
        '#EXT-X-MEDIA-SEQUENCE:0',
        '#EXT-X-PLAYLIST-TYPE:VOD',
        '#EXT-X-INDEPENDENT-SEGMENTS',
        '#EXT-X-MAP:URI="init.mp4?t=1"',
        '#EXTINF:5.990748,',
        '0.m4s?t=1',
        '#EXTINF:5.990749,',
        '1.m4s?t=1',
        '#EXTINF:1.018503,',
        '2.m4s?t=1',
        '#EXT-X-ENDLIST',
        '',
      ].join('\n'),
    );
  });

  it('has durations that add up to ten hours exactly', () => {
    const plan = planSegments(44_100, 44_100 * 36_000);
    const text = formatMediaPlaylist({ plan, ...urls });
    const durations = [...text.matchAll(/^#EXTINF:([\d.]+),$/gm)].map(([, value]) => Number(value));
    expect(durations).toHaveLength(plan.segmentCount);
    expect(durations.reduce((sum, value) => sum + Math.round(value * 1e6), 0)).toBe(36_000e6);
  });
});
