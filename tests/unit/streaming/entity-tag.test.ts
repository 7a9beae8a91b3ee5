import fc from 'fast-check';
import {
  matchesStrongly,
  matchesWeakly,
  parseEntityTag,
  parseEntityTagCondition,
  type EntityTag,
} from '../../../src/streaming/entity-tag';
import { runBounded } from '../../support/bounded-time';

const strong = (opaqueTag: string): EntityTag => ({ isWeak: false, opaqueTag: `"${opaqueTag}"` });
const weak = (opaqueTag: string): EntityTag => ({ isWeak: true, opaqueTag: `"${opaqueTag}"` });

describe('parseEntityTag()', () => {
  it.each([
    ['"xyzzy"', '§8.8.3: strong', strong('xyzzy')],
    ['W/"xyzzy"', '§8.8.3: weak', weak('xyzzy')],
    ['""', '§8.8.3: *etagc may be empty', strong('')],
    ['W/""', '§8.8.3: *etagc may be empty', weak('')],
    ['"a,b"', '§8.8.3: a comma is etagc', strong('a,b')],
    [`"!#$%&'()*+-./:;<=>?@[]^_\`{|}~"`, '§8.8.3', strong(`!#$%&'()*+-./:;<=>?@[]^_\`{|}~`)],
    ['"\\"', '§8.8.3: a backslash escapes nothing', strong('\\')],
    ['"\u0080\u00e9\u00ff"', '§8.8.3: obs-text', strong('\u0080\u00e9\u00ff')],
    ['"W/"', '§8.8.3', strong('W/')],
    ['"*"', '§8.8.3', strong('*')],
  ])('reads %j (%s)', (field, _paragraph, expected) => {
    expect(parseEntityTag(field)).toEqual(expected);
  });

  it.each([
    ['', '§8.8.3: quotes are needed'],
    ['xyzzy', '§8.8.3: quotes are needed'],
    ['"xyzzy', '§8.8.3: quotes are needed'],
    ['xyzzy"', '§8.8.3: quotes are needed'],
    ["'xyzzy'", '§8.8.3: DQUOTE'],
    ['w/"xyzzy"', '§8.8.3: weak is case-sensitive'],
    ['W"xyzzy"', '§8.8.3: weak is W/'],
    ['W/ "xyzzy"', '§8.8.3: no white space'],
    ['W/xyzzy', '§8.8.3: quotes are needed'],
    ['W/', '§8.8.3'],
    ['W/W/"xyzzy"', '§8.8.3'],
    ['"xy zzy"', '§8.8.3: SP is no etagc'],
    ['"xy\tzzy"', '§8.8.3: HTAB is no etagc'],
    ['"xy\u007fzzy"', '§8.8.3: DEL is no etagc'],
    ['"xy"zzy"', '§8.8.3: a quote is no etagc'],
    ['"xy\\"zzy"', '§8.8.3: nor behind a backslash'],
    ['"\u0100"', '§8.8.3: one byte each'],
    ['"a", "b"', '§8.8.3: one tag'],
    ['"a",', '§8.8.3: one tag'],
    [' "a"', '§8.8.3: nothing around it'],
    ['"a" ', '§8.8.3: nothing around it'],
    ['"a"\n', '§8.8.3: nothing around it'],
    ['*', '§8.8.3: * is no tag'],
  ])('refuses %j (%s)', (field) => {
    expect(parseEntityTag(field)).toBeUndefined();
  });
});

describe('parseEntityTagCondition()', () => {
  it.each([
    ['*', '§13.1.1: "*"', '*'],
    [' * ', '§5.5: white space around a value', '*'],
    ['"a"', '§13.1.2: #entity-tag', [strong('a')]],
    ['"a", "b"', '§5.6.1', [strong('a'), strong('b')]],
    ['"a","b"', '§5.6.1: OWS may be nothing', [strong('a'), strong('b')]],
    ['"a"\t ,\t "b"', '§5.6.1: OWS', [strong('a'), strong('b')]],
    ['W/"a", "b", W/"c"', '§8.8.3', [weak('a'), strong('b'), weak('c')]],
    ['"a,b", "c"', '§8.8.3: a comma inside a tag', [strong('a,b'), strong('c')]],
    [',"a"', '§5.6.1.2: empty members', [strong('a')]],
    ['"a",', '§5.6.1.2: empty members', [strong('a')]],
    [', ,"a",,\t,"b", ,', '§5.6.1.2: empty members', [strong('a'), strong('b')]],
    ['', '§13.1.2: # allows none', []],
    [',', '§5.6.1.2: only empty members', []],
    // what is no tag matches nothing, and neither does what follows
    ['a', '§8.8.3: quotes are needed', []],
    ['"a', '§8.8.3: quotes are needed', []],
    ['"a", b, "c"', '§8.8.3: the second is none', [strong('a')]],
    ['w/"a"', '§8.8.3: weak is case-sensitive', []],
    ['"a" "b"', '§5.6.1: no comma', []],
    ['"a"x', '§8.8.3', []],
    ['"a", *', '§13.1.1: * stands alone', [strong('a')]],
    ['*, "a"', '§13.1.1: * stands alone', []],
    ['*, *', '§13.1.1: * stands alone, two field lines', []],
    ['**', '§13.1.1', []],
    ['\u00a0*', '§5.6.3: a no-break space is obs-text, no white space', []],
    ['*\u00a0', '§5.6.3: a no-break space is obs-text, no white space', []],
  ])('reads %j (%s)', (field, _paragraph, expected) => {
    expect(parseEntityTagCondition(field)).toEqual(expected);
  });

  const size = 400_000;
  it.each([
    ['white space', `${' '.repeat(size)}x`],
    ['white space behind a tag', `"a"${' '.repeat(size)}x`],
    ['white space between a tag and a comma', `"a"${' '.repeat(size)},`],
    ['empty members', `${','.repeat(size)}x`],
    ['tags', '"a",'.repeat(size / 4)],
    ['an open quote', `"${'a'.repeat(size)}`],
    ['weak marks', 'W/'.repeat(size / 2)],
  ])('takes time that grows with the length of the field, no faster: %s', (_what, field) => {
    expect(() => runBounded(() => parseEntityTagCondition(field))).not.toThrow();
  });

  it('reads back any list of tags', () => {
    const etagc = fc.constantFrom(
      ...Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter((char) =>
        /[\x21\x23-\x7e\x80-\xff]/.test(char),
      ),
    );
    const tag = fc.tuple(fc.boolean(), fc.string({ unit: etagc, maxLength: 12 }));
    const separator = fc.constantFrom(',', ', ', ' ,\t', ',,', ', ,');
    fc.assert(
      fc.property(fc.array(tag, { maxLength: 8 }), separator, (tags, between) => {
        const field = tags.map(([isWeak, text]) => `${isWeak ? 'W/' : ''}"${text}"`).join(between);
        expect(parseEntityTagCondition(field)).toEqual(
          tags.map(([isWeak, text]) => ({ isWeak, opaqueTag: `"${text}"` })),
        );
      }),
    );
  });

  it('has an answer for any string', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (field) => {
        const condition = parseEntityTagCondition(field);
        expect(condition === '*' || Array.isArray(condition)).toBe(true);
      }),
    );
  });
});

describe('comparison', () => {
  // the table of §8.8.3.2
  it.each([
    ['W/"1"', 'W/"1"', false, true],
    ['W/"1"', 'W/"2"', false, false],
    ['W/"1"', '"1"', false, true],
    ['"1"', '"1"', true, true],
    ['"1"', '"2"', false, false],
    ['"a"', '"A"', false, false],
    ['""', '""', true, true],
    ['"1"', '"11"', false, false],
  ])('of %s and %s (§8.8.3.2) is %s strongly, %s weakly', (a, b, strongly, weakly) => {
    const [left, right] = [parseEntityTag(a)!, parseEntityTag(b)!];
    expect(matchesStrongly(left, right)).toBe(strongly);
    expect(matchesStrongly(right, left)).toBe(strongly);
    expect(matchesWeakly(left, right)).toBe(weakly);
    expect(matchesWeakly(right, left)).toBe(weakly);
  });
});
