import fc from 'fast-check';
import { type Representation } from '../../../src/streaming/representation';
import { type RequestFields } from '../../../src/streaming/request-fields';
import {
  planResponse,
  planWithoutRange,
  type PlanRequest,
  type ResponsePlan,
} from '../../../src/streaming/response-plan';
import { patternedBytes } from '../../support/patterned-bytes';

const MODIFIED_AT = Date.UTC(2024, 2, 1, 12, 0, 0);
const NOW = MODIFIED_AT + 3_600_000;
const LAST_MODIFIED = 'Fri, 01 Mar 2024 12:00:00 GMT';
const BEFORE = 'Fri, 01 Mar 2024 11:59:59 GMT';
const BOUNDARY = 'a-boundary-of-the-test';

const REPRESENTATION: Representation = {
  lengthBytes: 10_000,
  mediaType: 'audio/mpeg',
  entityTag: '"v1"',
  lastModifiedSeconds: MODIFIED_AT / 1000,
  contentDisposition: 'inline; filename="song.mp3"',
};

/** What 200 and 206 say alike. */
const COMMON = {
  ETag: '"v1"',
  'Cache-Control': 'private, no-cache',
  'Last-Modified': LAST_MODIFIED,
  'Accept-Ranges': 'bytes',
  'Content-Disposition': 'inline; filename="song.mp3"',
};

interface Asked {
  readonly method?: 'GET' | 'HEAD';
  readonly fields?: RequestFields;
  readonly now?: number;
  readonly representation?: Partial<Representation>;
}

function plan({ method = 'GET', fields = {}, now = NOW, representation = {} }: Asked = {}) {
  return planResponse(
    { method, fields, now, createBoundary: () => BOUNDARY },
    { ...REPRESENTATION, ...representation },
  );
}

/** The bytes that a plan comes to. */
function contentOf({ segments }: ResponsePlan): Buffer {
  return Buffer.concat(
    segments.map((segment) =>
      segment.kind === 'text'
        ? Buffer.from(segment.text, 'latin1')
        : patternedBytes(
            segment.range.lastPos - segment.range.firstPos + 1,
            segment.range.firstPos,
          ),
    ),
  );
}

interface Part {
  readonly fields: Readonly<Record<string, string>>;
  readonly content: Buffer;
}

/** Takes a multipart content apart by its delimiters (RFC 2046 §5.1.1); throws when it is none. */
function parseMultipart(content: Buffer, boundary: string): Part[] {
  const text = content.toString('latin1');
  const open = `--${boundary}\r\n`;
  const close = `\r\n--${boundary}--\r\n`;
  if (!text.startsWith(open) || !text.endsWith(close)) throw new Error('no delimiters');
  return text
    .slice(open.length, -close.length)
    .split(`\r\n--${boundary}\r\n`)
    .map((part) => {
      const end = part.indexOf('\r\n\r\n');
      if (end < 0) throw new Error('a part without fields');
      const lines = part.slice(0, end).split('\r\n');
      const fields = lines.map((line) => /^([\w-]+): (.*)$/.exec(line)!.slice(1));
      return {
        fields: Object.fromEntries(fields) as Record<string, string>,
        content: Buffer.from(part.slice(end + 4), 'latin1'),
      };
    });
}

describe('planResponse()', () => {
  describe('without Range', () => {
    it('sends the whole with all its fields (§15.3.1)', () => {
      expect(plan()).toEqual({
        status: 200,
        fields: { ...COMMON, 'Content-Type': 'audio/mpeg', 'Content-Length': '10000' },
        segments: [{ kind: 'slice', range: { firstPos: 0, lastPos: 9_999 } }],
        contentLength: 10_000,
      });
    });

    it('sends the same fields and no content to HEAD (§9.3.2)', () => {
      const head = plan({ method: 'HEAD' });
      expect(head).toEqual({ ...plan(), segments: [], contentLength: 0 });
      expect(head.fields['Content-Length']).toBe('10000');
    });

    it('sends a representation of no bytes', () => {
      expect(plan({ representation: { lengthBytes: 0 } })).toMatchObject({
        status: 200,
        fields: { 'Content-Length': '0' },
        segments: [],
        contentLength: 0,
      });
    });

    it('writes lengths beyond 4 GiB in full', () => {
      const { fields } = plan({ representation: { lengthBytes: 6_000_000_000 } });
      expect(fields['Content-Length']).toBe('6000000000');
    });

    it('never says how the content is encoded or transferred', () => {
      const all = [plan(), plan({ fields: { range: 'bytes=0-1' } }), plan({ method: 'HEAD' })];
      for (const { fields } of all) {
        expect(Object.keys(fields)).not.toContain('Content-Encoding');
        expect(Object.keys(fields)).not.toContain('Transfer-Encoding');
      }
    });
  });

  describe('with one range', () => {
    it.each([
      ['bytes=0-1', '§14.4', 'bytes 0-1/10000', 2],
      ['bytes=0-', '§14.4', 'bytes 0-9999/10000', 10_000],
      ['bytes=-5', '§14.4', 'bytes 9995-9999/10000', 5],
      ['bytes=-20000', '§14.4', 'bytes 0-9999/10000', 10_000],
      ['bytes=9999-20000', '§14.4', 'bytes 9999-9999/10000', 1],
      ['bytes=0-0,10000-', '§15.3.7.2: one part left is no multipart', 'bytes 0-0/10000', 1],
      ['bytes=0-9,5-20', '§15.3.7.2: one part left is no multipart', 'bytes 0-20/10000', 21],
      ['bytes=0-4999,5000-9999', '§15.3.7.2', 'bytes 0-9999/10000', 10_000],
    ])('%s (%s) is 206 with %s', (range, _paragraph, contentRange, length) => {
      const result = plan({ fields: { range } });
      expect(result.status).toBe(206);
      expect(result.fields).toEqual({
        ...COMMON,
        'Content-Type': 'audio/mpeg',
        'Content-Range': contentRange,
        'Content-Length': String(length),
      });
      expect(result.contentLength).toBe(length);
      const firstPos = Number(/\d+/.exec(contentRange)?.[0]);
      expect(contentOf(result).equals(patternedBytes(length, firstPos))).toBe(true);
    });

    it('says nothing less in a 206 than in a 200 (§15.3.7)', () => {
      const whole = Object.keys(plan().fields);
      expect(Object.keys(plan({ fields: { range: 'bytes=0-1' } }).fields)).toEqual(
        expect.arrayContaining(whole),
      );
    });

    it.each(['bytes=10000-', 'bytes=-0', 'bytes=10000-,20000-30000'])(
      '%s is 416 with the length there is (§15.5.17)',
      (range) => {
        expect(plan({ fields: { range } })).toEqual({
          status: 416,
          fields: { 'Accept-Ranges': 'bytes', 'Content-Range': 'bytes */10000' },
          segments: [],
          contentLength: 0,
        });
      },
    );

    it.each(['items=0-1', 'bytes=5-2', 'bytes=abc', 'bytes=', '', 'bytes=0-,0-'])(
      '%j is ignored (§14.2)',
      (range) => {
        expect(plan({ fields: { range } })).toEqual(plan());
      },
    );

    it.each(['bytes=0-1', 'bytes=10000-', 'bytes=0-0,-1', 'bytes=x'])(
      '%s is ignored on HEAD: no range is defined for it (§14.2)',
      (range) => {
        expect(plan({ method: 'HEAD', fields: { range } })).toEqual(plan({ method: 'HEAD' }));
      },
    );

    it.each(['bytes=0-', 'bytes=0-0', 'bytes=-1', 'bytes=5-'])(
      '%s of no bytes is the whole (§14.4)',
      (range) => {
        const representation = { lengthBytes: 0 };
        expect(plan({ fields: { range }, representation })).toEqual(plan({ representation }));
      },
    );
  });

  describe('with several ranges', () => {
    it('is one multipart content in the order asked for (§15.3.7.2)', () => {
      const result = plan({ fields: { range: 'bytes=5000-5099, 0-0, -10' } });
      expect(result.status).toBe(206);
      expect(result.fields).toEqual({
        ...COMMON,
        'Content-Type': `multipart/byteranges; boundary=${BOUNDARY}`,
        'Content-Length': String(contentOf(result).length),
      });
      expect(parseMultipart(contentOf(result), BOUNDARY)).toEqual(
        [
          [5_000, 5_099],
          [0, 0],
          [9_990, 9_999],
        ].map(([first = 0, last = 0]) => ({
          fields: { 'Content-Type': 'audio/mpeg', 'Content-Range': `bytes ${first}-${last}/10000` },
          content: patternedBytes(last - first + 1, first),
        })),
      );
    });

    it('has no Content-Range of its own (§15.3.7.2)', () => {
      const { fields } = plan({ fields: { range: 'bytes=0-0,-1' } });
      expect(fields).not.toHaveProperty('Content-Range');
    });

    it('leaves out what does not exist', () => {
      const result = plan({ fields: { range: 'bytes=0-0,20000-,-1' } });
      const ranges = parseMultipart(contentOf(result), BOUNDARY).map(
        ({ fields }) => fields['Content-Range'],
      );
      expect(ranges).toEqual(['bytes 0-0/10000', 'bytes 9999-9999/10000']);
    });

    it('asks for a boundary only when there are parts to delimit', () => {
      const createBoundary = jest.fn(() => BOUNDARY);
      for (const range of ['bytes=0-1', 'bytes=0-1,2-3', 'bytes=10000-', 'bytes=0-,0-']) {
        planResponse(
          { method: 'GET', fields: { range }, now: NOW, createBoundary },
          REPRESENTATION,
        );
      }
      expect(createBoundary).not.toHaveBeenCalled();
    });

    it('sends the whole when the parts with their fields come to as much (§14.2)', () => {
      const fields = { range: 'bytes=0-9,200-209' };
      const parts = plan({ fields }).contentLength;
      const at = (lengthBytes: number) => plan({ fields, representation: { lengthBytes } });
      // the length stands in the parts as well: here both are three digits
      const digits = String(parts).length;
      expect(digits).toBe(3);
      const fitted = parts - 2 * ('10000'.length - digits);
      expect(at(fitted + 1).status).toBe(206);
      expect(at(fitted + 1).contentLength).toBe(fitted);
      expect(at(fitted).status).toBe(200);
      expect(at(fitted - 1).status).toBe(200);
    });

    it('has the length it says and the bytes it names, whatever is asked for', () => {
      const spec = fc
        .tuple(fc.nat(20_000), fc.nat(300))
        .map(([first, more]) => `${first}-${first + more}`);
      const range = fc
        .array(
          fc.oneof(
            spec,
            fc.nat(50).map((n) => `-${n}`),
          ),
          { minLength: 2, maxLength: 20 },
        )
        .map((specs) => `bytes=${specs.join(',')}`);
      fc.assert(
        fc.property(range, fc.integer({ min: 1, max: 30_000 }), (field, lengthBytes) => {
          const result = plan({ fields: { range: field }, representation: { lengthBytes } });
          const content = contentOf(result);
          expect(content.length).toBe(result.contentLength);
          if (result.status === 416) return;
          expect(result.fields['Content-Length']).toBe(String(content.length));
          if (!result.fields['Content-Type']?.startsWith('multipart/')) return;

          expect(content.length).toBeLessThan(lengthBytes);
          const parts = parseMultipart(content, BOUNDARY);
          expect(parts.length).toBeGreaterThan(1);
          for (const part of parts) {
            const [, first, last, complete] =
              /^bytes (\d+)-(\d+)\/(\d+)$/.exec(part.fields['Content-Range'] ?? '') ?? [];
            expect(complete).toBe(String(lengthBytes));
            const expected = patternedBytes(Number(last) - Number(first) + 1, Number(first));
            expect(part.content.equals(expected)).toBe(true);
          }
        }),
        { numRuns: 300 },
      );
    });
  });

  describe('preconditions', () => {
    it('answers 412 without content or fields of the representation (§15.5.13)', () => {
      expect(plan({ fields: { ifMatch: '"v0"' } })).toEqual({
        status: 412,
        fields: {},
        segments: [],
        contentLength: 0,
      });
    });

    it.each<[string, RequestFields]>([
      ['If-None-Match', { ifNoneMatch: '"v1"' }],
      ['If-Modified-Since', { ifModifiedSince: LAST_MODIFIED }],
    ])('answers 304 to %s with ETag and Cache-Control, nothing else (§15.4.5)', (_name, fields) => {
      const expected = {
        status: 304,
        fields: { ETag: '"v1"', 'Cache-Control': 'private, no-cache' },
        segments: [],
        contentLength: 0,
      };
      expect(plan({ fields })).toEqual(expected);
      expect(plan({ method: 'HEAD', fields })).toEqual(expected);
    });

    it.each<[string, RequestFields, number]>([
      ['§13.2.2: 412 before 416', { ifMatch: '"v0"', range: 'bytes=10000-' }, 412],
      ['§13.2.2: 412 before 206', { ifUnmodifiedSince: BEFORE, range: 'bytes=0-1' }, 412],
      ['§13.2.2: 304 before 416', { ifNoneMatch: '"v1"', range: 'bytes=10000-' }, 304],
      ['§13.2.2: 304 before 206', { ifModifiedSince: LAST_MODIFIED, range: 'bytes=0-1' }, 304],
      [
        '§13.2.2: 304 before If-Range',
        { ifNoneMatch: '*', ifRange: '"v0"', range: 'bytes=0-1' },
        304,
      ],
      ['§13.2.2: 412 before If-Range', { ifMatch: 'x', ifRange: '"v1"', range: 'bytes=0-1' }, 412],
      ['§13.2.2: all true', { ifMatch: '*', ifNoneMatch: '"v0"', range: 'bytes=0-1' }, 206],
      ['§13.1.5: the same tag', { ifRange: '"v1"', range: 'bytes=0-1' }, 206],
      ['§13.1.5: the same tag', { ifRange: '"v1"', range: 'bytes=0-0,-1' }, 206],
      ['§13.1.5: the same tag', { ifRange: '"v1"', range: 'bytes=10000-' }, 416],
      ['§13.1.5: another tag', { ifRange: '"v0"', range: 'bytes=0-1' }, 200],
      ['§13.1.5: another tag, no 416 either', { ifRange: '"v0"', range: 'bytes=10000-' }, 200],
      ['§13.1.5: a weak tag', { ifRange: 'W/"v1"', range: 'bytes=0-1' }, 200],
      ['§13.1.5: the same date', { ifRange: LAST_MODIFIED, range: 'bytes=0-1' }, 206],
      ['§13.1.5: another date', { ifRange: BEFORE, range: 'bytes=0-1' }, 200],
      ['§13.1.5: garbage', { ifRange: 'v1', range: 'bytes=0-1' }, 200],
      ['§13.1.5: If-Range without Range is ignored', { ifRange: '"v0"' }, 200],
      ['§13.1.5: If-Range without Range is ignored', { ifRange: '"v1"' }, 200],
    ])('%s: %j is %d', (_paragraph, fields, status) => {
      expect(plan({ fields }).status).toBe(status);
    });

    it('answers HEAD as GET without its range (§9.3.2, §14.2)', () => {
      const tags = [undefined, '"v0"', '"v1"'];
      const dates = [undefined, BEFORE, LAST_MODIFIED];
      for (const ifMatch of tags) {
        for (const ifNoneMatch of tags) {
          for (const ifModifiedSince of dates) {
            for (const ifUnmodifiedSince of dates) {
              const fields = Object.fromEntries(
                Object.entries({ ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince }).filter(
                  ([, value]) => value !== undefined,
                ),
              ) as RequestFields;
              const withRange = { ...fields, range: 'bytes=0-1', ifRange: '"v1"' };
              const head = plan({ method: 'HEAD', fields: withRange });
              const get = plan({ fields });
              expect(head).toEqual({ ...get, segments: [], contentLength: 0 });
            }
          }
        }
      }
    });
  });

  describe('Last-Modified', () => {
    const future = { lastModifiedSeconds: (NOW + 86_400_000) / 1000 };

    it('is never ahead of the clock (§8.8.2.1)', () => {
      expect(plan({ representation: future }).fields['Last-Modified']).toBe(
        'Fri, 01 Mar 2024 13:00:00 GMT',
      );
      expect(plan({ representation: future, now: NOW + 999 }).fields['Last-Modified']).toBe(
        'Fri, 01 Mar 2024 13:00:00 GMT',
      );
    });

    it('is no proof of the same bytes while it stands for the future (§8.8.2.2)', () => {
      const fields = { range: 'bytes=0-1', ifRange: 'Fri, 01 Mar 2024 13:00:00 GMT' };
      expect(plan({ representation: future, fields }).status).toBe(200);
    });

    it('is no proof of the same bytes within its own second (§8.8.2.2)', () => {
      const fields = { range: 'bytes=0-1', ifRange: LAST_MODIFIED };
      expect(plan({ fields, now: MODIFIED_AT + 999 }).status).toBe(200);
      expect(plan({ fields, now: MODIFIED_AT + 1_000 }).status).toBe(206);
    });

    it('may lie before 1970', () => {
      const { fields } = plan({ representation: { lastModifiedSeconds: -1 } });
      expect(fields['Last-Modified']).toBe('Wed, 31 Dec 1969 23:59:59 GMT');
    });
  });

  it.each(['W/"v1"', 'v1', ''])('refuses %j for a tag of ours: ranges need a strong one', (tag) => {
    expect(() => plan({ representation: { entityTag: tag } })).toThrow(TypeError);
  });
});

describe('planWithoutRange()', () => {
  const planSmall = (fields: RequestFields, method: 'GET' | 'HEAD' = 'GET'): ResponsePlan => {
    const request: PlanRequest = { method, fields, now: NOW, createBoundary: () => BOUNDARY };
    return planWithoutRange(request, '"v1"');
  };
  const cacheFields = { ETag: '"v1"', 'Cache-Control': 'private, no-cache' };

  it.each<[string, RequestFields, number]>([
    ['§15.3.1', {}, 200],
    ['§13.1.1', { ifMatch: '"v1"' }, 200],
    ['§13.1.1', { ifMatch: '*' }, 200],
    ['§13.1.1', { ifMatch: '"v0"' }, 412],
    ['§13.1.1', { ifMatch: 'W/"v1"' }, 412],
    ['§13.1.2', { ifNoneMatch: '"v1"' }, 304],
    ['§13.1.2', { ifNoneMatch: 'W/"v1"' }, 304],
    ['§13.1.2', { ifNoneMatch: '*' }, 304],
    ['§13.1.2', { ifNoneMatch: '"v0"' }, 200],
    ['§13.2.2', { ifMatch: '"v0"', ifNoneMatch: '"v1"' }, 412],
    ['§13.1.3: no date to compare', { ifModifiedSince: LAST_MODIFIED }, 200],
    ['§13.1.4: no date to compare', { ifUnmodifiedSince: BEFORE }, 200],
    ['§14.2: Range may be ignored', { range: 'bytes=0-1' }, 200],
    ['§14.2: Range may be ignored', { range: 'bytes=99999-' }, 200],
    ['§13.1.5', { range: 'bytes=0-1', ifRange: '"v1"' }, 200],
  ])('%s: %j is %d', (_paragraph, fields, status) => {
    const expected = {
      status,
      fields: status === 412 ? {} : cacheFields,
      segments: [],
      contentLength: 0,
    };
    expect(planSmall(fields)).toEqual(expected);
    expect(planSmall(fields, 'HEAD')).toEqual(expected);
  });

  it('refuses a weak tag of ours', () => {
    const request = { method: 'GET', fields: {}, now: NOW, createBoundary: () => '' } as const;
    expect(() => planWithoutRange(request, 'W/"v1"')).toThrow(TypeError);
  });
});
