import {
  evaluatePreconditions,
  isRangeApplicable,
  type Validators,
} from '../../../src/streaming/preconditions';
import { type RequestFields } from '../../../src/streaming/request-fields';

const MODIFIED_AT = Date.UTC(2024, 2, 1, 12, 0, 0);
const NOW = MODIFIED_AT + 3_600_000;
const BEFORE = 'Fri, 01 Mar 2024 11:59:59 GMT';
const SAME = 'Fri, 01 Mar 2024 12:00:00 GMT';
const AFTER = 'Fri, 01 Mar 2024 12:00:01 GMT';
const FUTURE = 'Fri, 01 Mar 2124 12:00:00 GMT';

const VALIDATORS: Validators = {
  entityTag: { isWeak: false, opaqueTag: '"v1"' },
  lastModifiedSeconds: MODIFIED_AT / 1000,
};
const WEAK_TAG: Validators = {
  entityTag: { isWeak: true, opaqueTag: '"v1"' },
  lastModifiedSeconds: MODIFIED_AT / 1000,
};
const NO_DATE: Validators = { entityTag: { isWeak: false, opaqueTag: '"v1"' } };

describe('evaluatePreconditions()', () => {
  it('lets a request without preconditions proceed', () => {
    expect(evaluatePreconditions({}, VALIDATORS, NOW)).toBe('proceed');
  });

  describe('If-Match', () => {
    it.each([
      ['"v1"', '§13.1.1: strong comparison', 'proceed'],
      ['*', '§13.1.1: any current representation', 'proceed'],
      ['"v0", "v1"', '§13.1.1: one of a list', 'proceed'],
      [',, "v0" ,"v1",', '§5.6.1.2: empty members', 'proceed'],
      ['"v0"', '§13.1.1: none matches', 'failed'],
      ['"v0", "v2"', '§13.1.1: none matches', 'failed'],
      ['W/"v1"', '§13.1.1: a weak tag never matches strongly', 'failed'],
      ['W/"v1", "v1"', '§13.1.1: the second is strong', 'proceed'],
      ['"V1"', '§8.8.3.2: character by character', 'failed'],
      ['v1', '§8.8.3: no tag', 'failed'],
      ['', '§13.1.1: an empty list has no match', 'failed'],
    ])('%j (%s): %s', (ifMatch, _paragraph, expected) => {
      expect(evaluatePreconditions({ ifMatch }, VALIDATORS, NOW)).toBe(expected);
    });

    it('never matches a weak tag of ours (§13.1.1)', () => {
      expect(evaluatePreconditions({ ifMatch: 'W/"v1"' }, WEAK_TAG, NOW)).toBe('failed');
      expect(evaluatePreconditions({ ifMatch: '"v1"' }, WEAK_TAG, NOW)).toBe('failed');
      expect(evaluatePreconditions({ ifMatch: '*' }, WEAK_TAG, NOW)).toBe('proceed');
    });
  });

  describe('If-Unmodified-Since', () => {
    it.each([
      [BEFORE, '§13.1.4: modified later', 'failed'],
      [SAME, '§13.1.4: earlier or equal', 'proceed'],
      [AFTER, '§13.1.4: earlier or equal', 'proceed'],
      [FUTURE, '§13.1.4: earlier or equal', 'proceed'],
      ['Friday, 01-Mar-24 11:59:59 GMT', '§5.6.7: rfc850-date', 'failed'],
      ['Fri Mar  1 11:59:59 2024', '§5.6.7: asctime-date', 'failed'],
      ['garbage', '§13.1.4: no valid date is ignored', 'proceed'],
      ['', '§13.1.4: no valid date is ignored', 'proceed'],
      ['"v0"', '§13.1.4: no valid date is ignored', 'proceed'],
      [`${BEFORE}, ${BEFORE}`, '§13.1.4: a list of dates is ignored', 'proceed'],
      ['Thu, 31 Feb 2024 00:00:00 GMT', '§13.1.4: no valid date is ignored', 'proceed'],
    ])('%j (%s): %s', (ifUnmodifiedSince, _paragraph, expected) => {
      expect(evaluatePreconditions({ ifUnmodifiedSince }, VALIDATORS, NOW)).toBe(expected);
    });

    it('is ignored where there is no modification date (§13.1.4)', () => {
      expect(evaluatePreconditions({ ifUnmodifiedSince: BEFORE }, NO_DATE, NOW)).toBe('proceed');
    });
  });

  describe('If-None-Match', () => {
    it.each([
      ['"v1"', '§13.1.2: weak comparison', 'not-modified'],
      ['W/"v1"', '§13.1.2: weak comparison', 'not-modified'],
      ['*', '§13.1.2: any current representation', 'not-modified'],
      ['"v0", W/"v1"', '§13.1.2: one of a list', 'not-modified'],
      [' ,"v0",, "v1"', '§5.6.1.2: empty members', 'not-modified'],
      ['"v0"', '§13.1.2: none matches', 'proceed'],
      ['W/"v0"', '§13.1.2: none matches', 'proceed'],
      ['v1', '§8.8.3: no tag', 'proceed'],
      ['"v1', '§8.8.3: no tag', 'proceed'],
      ['w/"v1"', '§8.8.3: W is case-sensitive', 'proceed'],
      ['"v1-gzip"', '§8.8.3.2: the whole tag, no part of it', 'proceed'],
      ['"xv1"', '§8.8.3.2: the whole tag, no part of it', 'proceed'],
      ['""', '§8.8.3.2', 'proceed'],
      ['', '§13.1.2: an empty list has no match', 'proceed'],
    ])('%j (%s): %s', (ifNoneMatch, _paragraph, expected) => {
      expect(evaluatePreconditions({ ifNoneMatch }, VALIDATORS, NOW)).toBe(expected);
    });

    it('matches a weak tag of ours (§13.1.2)', () => {
      expect(evaluatePreconditions({ ifNoneMatch: '"v1"' }, WEAK_TAG, NOW)).toBe('not-modified');
      expect(evaluatePreconditions({ ifNoneMatch: 'W/"v1"' }, WEAK_TAG, NOW)).toBe('not-modified');
    });
  });

  describe('If-Modified-Since', () => {
    it.each([
      [BEFORE, '§13.1.3: modified later', 'proceed'],
      [SAME, '§13.1.3: earlier or equal', 'not-modified'],
      [AFTER, '§13.1.3: earlier or equal', 'not-modified'],
      [FUTURE, '§13.1.3: earlier or equal', 'not-modified'],
      ['Friday, 01-Mar-24 12:00:00 GMT', '§5.6.7: rfc850-date', 'not-modified'],
      ['Fri Mar  1 12:00:00 2024', '§5.6.7: asctime-date', 'not-modified'],
      ['garbage', '§13.1.3: no valid date is ignored', 'proceed'],
      ['', '§13.1.3: no valid date is ignored', 'proceed'],
      ['"v1"', '§13.1.3: no valid date is ignored', 'proceed'],
      ['*', '§13.1.3: no valid date is ignored', 'proceed'],
      [`${AFTER}, ${AFTER}`, '§13.1.3: more than one member is ignored', 'proceed'],
      ['Fri, 01 Mar 2024 12:00:00 +0000', '§13.1.3: no valid date is ignored', 'proceed'],
      [`${SAME}; length=1000`, '§13.1.3: no valid date is ignored', 'proceed'],
    ])('%j (%s): %s', (ifModifiedSince, _paragraph, expected) => {
      expect(evaluatePreconditions({ ifModifiedSince }, VALIDATORS, NOW)).toBe(expected);
    });

    it('is ignored where there is no modification date (§13.1.3)', () => {
      expect(evaluatePreconditions({ ifModifiedSince: FUTURE }, NO_DATE, NOW)).toBe('proceed');
    });
  });

  describe('several at once', () => {
    it.each<[string, RequestFields, string]>([
      ['step 1 before 3', { ifMatch: '"v0"', ifNoneMatch: '"v1"' }, 'failed'],
      ['step 1, then 3', { ifMatch: '"v1"', ifNoneMatch: '"v1"' }, 'not-modified'],
      ['step 1, then 3', { ifMatch: '"v1"', ifNoneMatch: '"v0"' }, 'proceed'],
      ['step 1, then 4', { ifMatch: '"v1"', ifModifiedSince: SAME }, 'not-modified'],
      ['step 1 before 4', { ifMatch: '"v0"', ifModifiedSince: SAME }, 'failed'],
      ['step 2 only without If-Match', { ifMatch: '"v1"', ifUnmodifiedSince: BEFORE }, 'proceed'],
      ['step 2 only without If-Match', { ifMatch: '"v0"', ifUnmodifiedSince: AFTER }, 'failed'],
      ['step 2 before 3', { ifUnmodifiedSince: BEFORE, ifNoneMatch: '"v1"' }, 'failed'],
      ['step 2, then 3', { ifUnmodifiedSince: SAME, ifNoneMatch: '"v1"' }, 'not-modified'],
      ['step 2 before 4', { ifUnmodifiedSince: BEFORE, ifModifiedSince: SAME }, 'failed'],
      ['step 2, then 4', { ifUnmodifiedSince: SAME, ifModifiedSince: SAME }, 'not-modified'],
      ['step 4 only without 3', { ifNoneMatch: '"v0"', ifModifiedSince: SAME }, 'proceed'],
      ['step 4 only without 3', { ifNoneMatch: '"v1"', ifModifiedSince: BEFORE }, 'not-modified'],
      [
        'step 4 only without 3, valid or not',
        { ifNoneMatch: 'x', ifModifiedSince: SAME },
        'proceed',
      ],
      [
        'step 2 only without If-Match, valid or not',
        { ifMatch: 'x', ifUnmodifiedSince: AFTER },
        'failed',
      ],
    ])('§13.2.2 %s: %j', (_paragraph, fields, expected) => {
      expect(evaluatePreconditions(fields, VALIDATORS, NOW)).toBe(expected);
    });

    it('follows the steps of §13.2.2 in all 81 combinations', () => {
      const trueOrFalse = {
        ifMatch: { true: '"v1"', false: '"v0"' },
        ifUnmodifiedSince: { true: SAME, false: BEFORE },
        // §13.1.2: true means that none matches
        ifNoneMatch: { true: '"v0"', false: '"v1"' },
        ifModifiedSince: { true: BEFORE, false: SAME },
      };
      const states = [undefined, true, false];
      for (const im of states) {
        for (const ius of states) {
          for (const inm of states) {
            for (const ims of states) {
              const fields: RequestFields = {
                ...(im === undefined ? {} : { ifMatch: trueOrFalse.ifMatch[`${im}`] }),
                ...(ius === undefined
                  ? {}
                  : { ifUnmodifiedSince: trueOrFalse.ifUnmodifiedSince[`${ius}`] }),
                ...(inm === undefined ? {} : { ifNoneMatch: trueOrFalse.ifNoneMatch[`${inm}`] }),
                ...(ims === undefined
                  ? {}
                  : { ifModifiedSince: trueOrFalse.ifModifiedSince[`${ims}`] }),
              };
              const isFailed = im === false || (im === undefined && ius === false);
              const isNotModified = inm === false || (inm === undefined && ims === false);
              const expected = isFailed ? 'failed' : isNotModified ? 'not-modified' : 'proceed';
              expect([fields, evaluatePreconditions(fields, VALIDATORS, NOW)]).toEqual([
                fields,
                expected,
              ]);
            }
          }
        }
      }
    });
  });
});

describe('isRangeApplicable()', () => {
  it.each([
    [undefined, '§14.2: no If-Range, no condition', true],
    ['"v1"', '§13.1.5: the tag matches strongly', true],
    ['"v0"', '§13.1.5: another tag', false],
    ['W/"v1"', '§13.1.5: a weak tag never matches strongly', false],
    ['W/"v0"', '§13.1.5: a weak tag never matches strongly', false],
    ['*', '§13.1.5: * is neither tag nor date', false],
    ['"v1", "v1"', '§13.1.5: one tag', false],
    ['"v0", "v1"', '§13.1.5: one tag', false],
    ['"v1",', '§13.1.5: one tag', false],
    ['v1', '§13.1.5: neither tag nor date', false],
    ['"v1', '§13.1.5: neither tag nor date', false],
    ['xx"v1"', '§13.1.5: the whole value, no part of it', false],
    ['"v1"xx', '§13.1.5: the whole value, no part of it', false],
    ['', '§13.1.5: neither tag nor date', false],
    [SAME, '§13.1.5: exact match of the date', true],
    ['Friday, 01-Mar-24 12:00:00 GMT', '§5.6.7: rfc850-date of the same second', true],
    ['Fri Mar  1 12:00:00 2024', '§5.6.7: asctime-date of the same second', true],
    [BEFORE, '§13.1.5: exact match, not earlier', false],
    [AFTER, '§13.1.5: exact match, not later', false],
    [FUTURE, '§13.1.5: exact match, not later', false],
    [`${SAME}, ${SAME}`, '§13.1.5: one date', false],
    ['garbage', '§13.1.5: neither tag nor date', false],
  ])('%j (%s): %s', (ifRange, _paragraph, expected) => {
    const fields = ifRange === undefined ? {} : { ifRange };
    expect(isRangeApplicable(fields, VALIDATORS, NOW)).toBe(expected);
  });

  it('takes no tag for a match while ours is weak (§13.1.5)', () => {
    expect(isRangeApplicable({ ifRange: '"v1"' }, WEAK_TAG, NOW)).toBe(false);
    expect(isRangeApplicable({ ifRange: 'W/"v1"' }, WEAK_TAG, NOW)).toBe(false);
  });

  it('takes no date for a match where there is none', () => {
    expect(isRangeApplicable({ ifRange: SAME }, NO_DATE, NOW)).toBe(false);
    expect(isRangeApplicable({ ifRange: 'garbage' }, NO_DATE, NOW)).toBe(false);
  });

  it.each([
    [-1, false],
    [0, false],
    [999, false],
    [1_000, true],
  ])(
    'trusts a date %d ms after the second it names began: its second must be over (§8.8.2.2)',
    (sinceMs, expected) => {
      const now = MODIFIED_AT + sinceMs;
      expect(isRangeApplicable({ ifRange: SAME }, VALIDATORS, now)).toBe(expected);
    },
  );

  it('trusts the tag at once', () => {
    expect(isRangeApplicable({ ifRange: '"v1"' }, VALIDATORS, MODIFIED_AT)).toBe(true);
  });
});
