import fc from 'fast-check';
import { formatCursor, parseCursor } from '../../../../src/services/catalogue/catalogue-cursor';

describe('parseCursor()', () => {
  it('reads what formatCursor() wrote, in characters that need no escape', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (id) => {
        const cursor = formatCursor(id);
        expect(cursor).toMatch(/^[\w-]+$/);
        expect(parseCursor(cursor)).toBe(id);
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['no id', Buffer.from('1').toString('base64url')],
    ['another version', Buffer.from('2abc').toString('base64url')],
    ['the other alphabet', Buffer.from('1\u{1f600}???').toString('base64')],
    ['padding', `${Buffer.from('1ab').toString('base64url')}=`],
    ['bits that stand for nothing', 'MWF'],
    ['damaged UTF-8', Buffer.from([0x31, 0xff, 0xfe]).toString('base64url')],
    ['other characters', '%%%'],
  ])('refuses %s', (_, cursor) => {
    expect(() => parseCursor(cursor)).toThrow('cursor must be the nextCursor of an earlier answer');
  });
});
