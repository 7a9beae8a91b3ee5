/**
 * Marks of scripts that write them on letters that are read without them as well. Indic vowel signs
 * are letters of their own, and kana with a voiced mark are other kana: both stay.
 */
const ACCENTS =
  /(?![\u3099\u309a])(?=\p{Mn})[\p{Script=Inherited}\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Hebrew}\p{Script=Arabic}]/gu;
/** Letters that no decomposition takes apart, as they are written without them. */
const PLAIN_LETTERS: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ħ: 'h',
  ŧ: 't',
  ŋ: 'n',
  ı: 'i',
  ĸ: 'k',
  ς: 'σ',
  '’': "'",
  '‘': "'",
  ʼ: "'",
  ʻ: "'",
  '`': "'",
  '‐': '-',
  '–': '-',
  '—': '-',
};
const SPECIAL = new RegExp(`[${Object.keys(PLAIN_LETTERS).join('')}]`, 'gu');
/** What no rule above would change, and most text is. */
const PLAIN_TEXT = /^[\x20-\x5f\x61-\x7e]*$/;

/**
 * Text as it is searched: without case, accents and forms of writing that look or mean the same
 * (NFKD). Independent of any language: Turkish i with and without a dot are one letter.
 */
export function foldText(text: string): string {
  if (PLAIN_TEXT.test(text)) return text.toLowerCase();
  return (
    text
      .normalize('NFKD')
      .toLowerCase()
      .replace(ACCENTS, '')
      .replace(SPECIAL, (letter) => PLAIN_LETTERS[letter] ?? letter)
      // hangul and kana are short again; compatibility forms may have had capitals in them
      .normalize('NFKC')
  );
}

/** The folded words of a search; all of them must be found. */
export function foldWords(search: string): readonly string[] {
  return [...new Set(foldText(search).split(/\s+/u))].filter((word) => word !== '');
}
