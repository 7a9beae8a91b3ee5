import fc from 'fast-check';
import { foldText, foldWords } from '../../../../src/services/catalogue/fold-text';

describe('foldText()', () => {
  it.each([
    ['Björk', 'bjork'],
    ['Bjo\u0308rk', 'bjork'],
    ['Straße', 'strasse'],
    ['STRAẞE', 'strasse'],
    ['Łódź', 'lodz'],
    ['Ødegård', 'odegard'],
    ['Þórður', 'thordur'],
    ['Ærø', 'aero'],
    ['Œuvre', 'oeuvre'],
    // Turkish: with and without a dot, capital and small
    ['İıIi', 'iiii'],
    ['Ὀδυσσεύς', 'οδυσσευσ'],
    ['ΟΔΥΣΣΕΥΣ', 'οδυσσευσ'],
    ['Пётр', 'петр'],
    // written together or as one sign
    ['ﬁn', 'fin'],
    ['Ｆｕｌｌ', 'full'],
    ['ｶﾞ', 'ガ'],
    ['㌀', 'アパート'],
    // other kana, not an accent
    ['が', 'が'],
    ['夜明け', '夜明け'],
    ['한국', '한국'],
    ['한국', '한국'],
    ['किताब', 'किताब'],
    ['שָׁלוֹם', 'שלום'],
    ['مُحَمَّد', 'محمد'],
    ['Don’t', "don't"],
    ['A–B', 'a-b'],
    ['', ''],
  ])('makes %s %s', (text, folded) => {
    expect(foldText(text)).toBe(folded);
  });

  it('is the same for every way to write a text, and for what is folded already', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const folded = foldText(text);
        expect(foldText(text.normalize('NFD'))).toBe(folded);
        expect(foldText(text.normalize('NFC'))).toBe(folded);
        expect(foldText(folded)).toBe(folded);
      }),
    );
  });
});

describe('foldWords()', () => {
  it.each([
    ['  Björk  joga ', ['bjork', 'joga']],
    ['a\u3000b\tc', ['a', 'b', 'c']],
    ['a A á', ['a']],
    ['', []],
    [' \u0301 ', []],
  ])('takes %j apart', (text, words) => {
    expect(foldWords(text)).toEqual(words);
  });
});
