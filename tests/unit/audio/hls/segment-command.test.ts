import {
  chooseSeek,
  segmentCommand,
  type SegmentJob,
} from '../../../../src/audio/hls/segment-command';
import { planSegments, segmentOf } from '../../../../src/audio/hls/segment-plan';

/** The job of one segment of an hour; 44.1 kHz to 44.1 kHz unless said otherwise. */
function jobOf(number: number, changed: Partial<SegmentJob> = {}): SegmentJob {
  const sampleRateHz = changed.sampleRateHz ?? 44_100;
  const segment = segmentOf(planSegments(sampleRateHz, sampleRateHz * 3600), number)!;
  return {
    sourceRateHz: 44_100,
    seek: 'time',
    sampleRateHz,
    channels: 2,
    bitRateBps: 128_000,
    segment,
    ...changed,
  };
}

describe('segmentCommand()', () => {
  it('begins the first segment where the track begins', () => {
    expect(segmentCommand(jobOf(0))).toEqual({
      inputOptions: [],
      audioFilter:
        'atrim=start_pts=0,aresample=44100:rematrix_maxval=1,aformat=channel_layouts=stereo,' +
        // 259 frames and two more
        'atrim=start_sample=0:end_sample=267264,apad=whole_len=267264',
      outputOptions: ['-c:a', 'aac', '-profile:a', 'aac_low', '-b:a', '128000'].concat([
        '-threads',
        '1',
        '-f',
        'adts',
      ]),
      skipFrames: 0,
    });
  });

  it('begins 32 frames before any other segment, and jumps a whole second before that', () => {
    // frame 2581 - 32 is sample 2 610 176, at 59.19 s
    const command = segmentCommand(jobOf(10, { channels: 1 }));
    expect(command.inputOptions).toEqual(['-noaccurate_seek', '-ss', '58']);
    expect(command.audioFilter).toBe(
      `atrim=start_pts=${2_610_176 - 58 * 44_100},aresample=44100:rematrix_maxval=1,` +
        'aformat=channel_layouts=mono,' +
        'atrim=start_sample=0:end_sample=299008,apad=whole_len=299008',
    );
    expect(command.skipFrames).toBe(32);
  });

  it.each([
    [96_000, 48_000],
    [44_100, 48_000],
    [48_000, 44_100],
    [37_800, 44_100],
  ])('gives the resampler from %i to %i Hz a first sample that both rates have', (from, to) => {
    for (const number of [0, 1, 7, 200]) {
      const job = jobOf(number, { sourceRateHz: from, sampleRateHz: to });
      const { audioFilter, inputOptions, skipFrames } = segmentCommand(job);
      const seconds = Number(inputOptions[2] ?? 0);
      const [, startPts] = /start_pts=(\d+)/.exec(audioFilter)!;
      const [, dropped] = /start_sample=(\d+)/.exec(audioFilter)!;
      const sourceSample = Number(startPts) + seconds * from;
      const outputSample = (sourceSample * to) / from;
      expect(Number.isInteger(outputSample)).toBe(true);
      expect(outputSample + Number(dropped)).toBe((job.segment.firstFrame - skipFrames) * 1024);
      if (number > 0) expect(Number(dropped)).toBeGreaterThanOrEqual(1024);
    }
  });

  it('decodes from the start and cuts by count where a seek is not exact', () => {
    const command = segmentCommand(jobOf(10, { seek: 'decode' }));
    expect(command.inputOptions).toEqual([]);
    expect(command.audioFilter).toMatch(/^atrim=start_sample=2610176,/);
  });

  it('jumps and cuts 8 ms later where ffmpeg is late by that', () => {
    const command = segmentCommand(jobOf(10, { seek: 'late' }));
    expect(command.inputOptions).toEqual(['-noaccurate_seek', '-ss', '58']);
    expect(command.audioFilter).toMatch(
      new RegExp(`^atrim=start_pts=${2_610_176 - 58 * 44_100 + 353},`),
    );
  });
});

describe('chooseSeek()', () => {
  it.each([
    ['mp3', 0, 'time'],
    ['mp4', 36_000, 'time'],
    ['webm', 0, 'decode'],
    ['webm', 600, 'decode'],
    // from three hours on decoding takes longer than ffmpeg may be silent
    ['webm', 601, 'late'],
    ['webm', 36_000, 'late'],
    ['wma', 36_000, 'decode'],
  ])('in %s at %i s is by %s', (format, seconds, expected) => {
    expect(chooseSeek(format, { startSample: seconds * 48_000 }, 48_000)).toBe(expected);
  });
});
