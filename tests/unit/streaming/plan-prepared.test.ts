import fc from 'fast-check';
import { type Representation } from '../../../src/streaming/representation';
import { type RequestFields } from '../../../src/streaming/request-fields';
import {
  planPrepared,
  planResponse,
  prepareRepresentation,
  type PlanRequest,
} from '../../../src/streaming/response-plan';

const MODIFIED_SECONDS = Date.UTC(2024, 2, 1, 12, 0, 0) / 1000;
const NOW = (MODIFIED_SECONDS + 3_600) * 1000;

const representation: fc.Arbitrary<Representation> = fc.record({
  lengthBytes: fc.oneof(fc.constantFrom(0, 1, 79, 80), fc.nat(1_000_000)),
  mediaType: fc.constantFrom('audio/mpeg', 'audio/flac'),
  entityTag: fc.constantFrom('"v1"', '"v2"'),
  lastModifiedSeconds: fc.constantFrom(MODIFIED_SECONDS, MODIFIED_SECONDS - 1, 0, -1),
  contentDisposition: fc.constant('inline; filename="song.mp3"'),
});

const position = fc.oneof(fc.nat(100), fc.nat(2_000_000));
const rangeSpec = fc.oneof(
  fc.tuple(position, position).map(([first, last]) => `${first}-${last}`),
  position.map((first) => `${first}-`),
  position.map((length) => `-${length}`),
);
const range = fc.oneof(
  fc.array(rangeSpec, { minLength: 1, maxLength: 20 }).map((specs) => `bytes=${specs.join(',')}`),
  fc.constantFrom('bytes=', 'bytes=a-b', 'seconds=0-1', 'BYTES=0-0'),
);
const tags = fc.constantFrom('"v1"', '"v2"', 'W/"v1"', '"v1", "v2"', '*', 'no tag');
const date = fc.constantFrom(
  'Fri, 01 Mar 2024 12:00:00 GMT',
  'Fri, 01 Mar 2024 11:59:59 GMT',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  'yesterday',
);

const fields: fc.Arbitrary<RequestFields> = fc.record(
  {
    range,
    ifRange: fc.oneof(tags, date),
    ifMatch: tags,
    ifNoneMatch: tags,
    ifModifiedSince: date,
    ifUnmodifiedSince: date,
  },
  { requiredKeys: [] },
);

describe('planPrepared()', () => {
  it('decides of one representation, over and over, what planResponse() decides', () => {
    const request = fc.record({ method: fc.constantFrom('GET' as const, 'HEAD' as const), fields });
    const requests = fc.array(request, { minLength: 1, maxLength: 5 });
    const seen = new Set<number>();
    fc.assert(
      fc.property(representation, requests, (selected, asked) => {
        const prepared = prepareRepresentation(selected, NOW);
        for (const [i, each] of asked.entries()) {
          // later than it was prepared, as it stays in use
          const full: PlanRequest = { ...each, now: NOW + i * 1_000, createBoundary: () => 'b' };
          const plan = planPrepared(full, prepared);
          expect(plan).toEqual(planResponse(full, selected));
          seen.add(plan.status);
        }
      }),
      { numRuns: 2_000 },
    );
    expect([...seen].sort()).toEqual([200, 206, 304, 412, 416]);
  });

  it('leaves what was prepared as it was', () => {
    const selected = fc.sample(representation, { numRuns: 1, seed: 1 })[0]!;
    const prepared = prepareRepresentation(selected, NOW);
    const before = structuredClone(prepared);
    fc.assert(
      fc.property(fields, (asked) => {
        planPrepared(
          { method: 'GET', fields: asked, now: NOW, createBoundary: () => 'b' },
          prepared,
        );
        expect(prepared).toEqual(before);
      }),
    );
  });
});
