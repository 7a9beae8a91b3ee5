import fc from 'fast-check';
import {
  FRAME_SAMPLES,
  planSegments,
  PRIMING_SAMPLES,
  segmentOf,
  type Segment,
  type SegmentPlan,
} from '../../../../src/audio/hls/segment-plan';

const RATES = [8_000, 11_025, 22_050, 44_100, 48_000, 96_000];

function allOf(plan: SegmentPlan): Segment[] {
  return Array.from({ length: plan.segmentCount }, (_, number) => segmentOf(plan, number)!);
}

describe('planSegments()', () => {
  it.each([
    // rate, samples, frames, segments, target duration
    [44_100, 1, 2, 1, 1],
    [44_100, 1024, 2, 1, 1],
    [44_100, 1025, 3, 1, 1],
    [44_100, 258 * 1024, 259, 1, 6],
    [44_100, 258 * 1024 + 1, 260, 2, 6],
    [48_000, 48_000 * 36_000, 1_687_501, 6006, 6],
    [8_000, 80_000, 80, 2, 6],
  ])('at %i Hz cuts %i samples', (rate, samples, frames, segmentCount, targetDurationSeconds) => {
    const plan = planSegments(rate, samples);
    expect(plan).toMatchObject({ frames, segmentCount, targetDurationSeconds });
  });

  it.each([
    [44_100, 0],
    [44_100, -1],
    [44_100, 1.5],
    [44_100, NaN],
    [44_100, Infinity],
    [0, 1024],
  ])('refuses %d Hz and %d samples', (rate, samples) => {
    expect(() => planSegments(rate, samples)).toThrow(RangeError);
  });
});

describe('segmentOf()', () => {
  it('gives the first segment the priming frame besides', () => {
    const plan = planSegments(44_100, 44_100 * 13);
    expect(allOf(plan)).toEqual([
      { number: 0, firstFrame: 0, frameCount: 259, startSample: 0, samples: 264_192 },
      { number: 1, firstFrame: 259, frameCount: 258, startSample: 264_192, samples: 264_192 },
      { number: 2, firstFrame: 517, frameCount: 44, startSample: 528_384, samples: 44_916 },
    ]);
  });

  it.each([-1, 3, 0.5, NaN, Infinity])('knows no segment %d of 3', (number) => {
    expect(segmentOf(planSegments(44_100, 44_100 * 13), number)).toBeUndefined();
  });

  it('gives every frame and every sample to exactly one segment, in order', () => {
    const tracks = fc.tuple(fc.constantFrom(...RATES), fc.integer({ min: 1, max: 20_000_000 }));
    fc.assert(
      fc.property(tracks, ([rate, samples]) => {
        const plan = planSegments(rate, samples);
        let frame = 0;
        let sample = 0;
        for (const segment of allOf(plan)) {
          expect([segment.firstFrame, segment.startSample]).toEqual([frame, sample]);
          expect(segment.samples).toBeGreaterThan(0);
          expect(segment.samples / rate).toBeLessThanOrEqual(plan.targetDurationSeconds);
          frame += segment.frameCount;
          sample += segment.samples;
          // what is heard up to here is what the frames up to here decode to, without the delay
          if (frame < plan.frames) expect(sample).toBe(frame * FRAME_SAMPLES - PRIMING_SAMPLES);
        }
        expect([frame, sample]).toEqual([plan.frames, samples]);
      }),
    );
  });
});
