import fc from 'fast-check';
import { parseTrackId, spellingsOf } from '../../../src/storage/track-id';

describe('parseTrackId()', () => {
  it.each([
    ['song', ['song']],
    ['Artist/Album/01 Song', ['Artist', 'Album', '01 Song']],
    ['a.b', ['a.b']],
    ['a..b', ['a..b']],
    ['song.', ['song.']],
    ['song..', ['song..']],
    ['song ', ['song ']],
    [' song', [' song']],
    ['-rf', ['-rf']],
    ['~root', ['~root']],
    ['a:b*c?d"e<f>g|h', ['a:b*c?d"e<f>g|h']],
    ['100%', ['100%']],
    ['%2e%2e%2fsong', ['%2e%2e%2fsong']],
    ['$HOME', ['$HOME']],
    ['__proto__', ['__proto__']],
    ['CON', ['CON']],
    ['Кино/Группа крови', ['Кино', 'Группа крови']],
    ['坂本龍一', ['坂本龍一']],
    ['e\u0301', ['e\u0301']],
    ['\u00e9', ['\u00e9']],
    ['🎵', ['🎵']],
    ['\u202ecba', ['\u202ecba']],
    ['a\u00a0b', ['a\u00a0b']],
    ['x'.repeat(255), ['x'.repeat(255)]],
    ['ж'.repeat(127), ['ж'.repeat(127)]],
    [
      `${'x'.repeat(255)}/${'y'.repeat(255)}/${'z'.repeat(255)}/${'w'.repeat(255)}`,
      ['x', 'y', 'z', 'w'].map((char) => char.repeat(255)),
    ],
  ])('splits %j', (id, expected) => {
    expect(parseTrackId(id)).toEqual(expected);
  });

  it('allows 1,024 bytes in all and not one more', () => {
    const id = `${'x'.repeat(255)}/`.repeat(4); // 1,024 with the last slash
    expect(parseTrackId(id.slice(0, -1))).toHaveLength(4);
    const longest = `${'x'.repeat(204)}/`.repeat(5).slice(0, -1); // 1,024
    expect(Buffer.byteLength(longest)).toBe(1_024);
    expect(parseTrackId(longest)).toHaveLength(5);
    expect(parseTrackId(`${longest}x`)).toBeUndefined();
  });

  const controls = [...Array(32).keys(), ...Array.from({ length: 33 }, (_, i) => 127 + i)];

  it.each([
    ['', 'empty'],
    ['/', 'empty segments'],
    ['//', 'empty segments'],
    ['/song', 'absolute'],
    ['//song', 'absolute'],
    ['song/', 'an empty segment'],
    ['a//b', 'an empty segment'],
    ['.', 'this folder'],
    ['..', 'the folder above'],
    ['../song', 'the folder above'],
    ['a/../song', 'the folder above'],
    ['a/..', 'the folder above'],
    ['a/./b', 'this folder'],
    ['./song', 'this folder'],
    ['...', 'starts with a dot'],
    ['.hidden', 'hidden'],
    ['a/.hidden', 'hidden'],
    ['.git/config', 'hidden'],
    ['..song', 'starts with a dot'],
    ['.. /song', 'starts with a dot'],
    ['\\', 'backslash'],
    ['..\\song', 'backslash'],
    ['a\\b', 'backslash'],
    ['C:\\song', 'backslash'],
    ['\\\\host\\share', 'backslash'],
    ['\u2028song\u0000', 'NUL'],
    ['\ud800', 'half a character'],
    ['a\udc00b', 'half a character'],
    ['\udc00\ud800', 'half a character'],
    ['\ufffe', 'no character'],
    ['a\uffff', 'no character'],
    ['x'.repeat(256), 'a segment too long'],
    ['ж'.repeat(128), 'a segment too long in bytes'],
    [`a/${'x'.repeat(256)}/b`, 'a segment too long'],
    ['🎵'.repeat(64), 'a segment too long in bytes'],
    [`${'x/'.repeat(512)}x`, 'too long in all'],
    [`${'ж/'.repeat(341)}жж`, 'too long in all, in bytes'],
    ['x'.repeat(1_000_000), 'far too long'],
    ...controls.map((code) => [`a${String.fromCharCode(code)}b`, `control ${code}`]),
  ])('refuses %j (%s)', (id) => {
    expect(parseTrackId(id)).toBeUndefined();
  });

  it('never gives a name that leads elsewhere, for any string', () => {
    const unit = fc.oneof(
      fc.constantFrom('.', '/', '\\', '\0', 'a', 'é', '\ud800', '\u212a'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 30 }), (id) => {
        const segments = parseTrackId(id);
        if (!segments) return;
        expect(segments.join('/')).toBe(id);
        for (const segment of segments) {
          expect(segment).not.toMatch(/^\.|[/\\\0]|^$/);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('spellingsOf()', () => {
  it.each([
    ['song', ['song']],
    ['\u00e9', ['\u00e9', 'e\u0301']],
    ['e\u0301', ['e\u0301', '\u00e9']],
    ['\u1e69', ['\u1e69', 's\u0323\u0307']],
    ['s\u0307\u0323', ['s\u0307\u0323', '\u1e69', 's\u0323\u0307']],
    ['\uac00', ['\uac00', '\u1100\u1161']],
    ['ﬁ', ['ﬁ']], // compatibility forms are other names
    ['①', ['①']],
    ['．．', ['．．']],
  ])('of %j are %j, as asked for first', (name, expected) => {
    expect(spellingsOf(name)).toEqual(expected);
  });

  it('never turn a name into one that leads elsewhere, for any character there is', () => {
    for (let code = 0x80; code <= 0x10ffff; code += 1) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const character = String.fromCodePoint(code);
      const spellings = [character.normalize('NFC'), character.normalize('NFD')];
      if (spellings.some((spelling) => /[./\\\p{Cc}]/u.test(spelling)) && code > 0x9f) {
        throw new Error(`U+${code.toString(16)} becomes ${JSON.stringify(spellings)}`);
      }
    }
    expect(spellingsOf('．．/')).toEqual(['．．/']);
  });
});
