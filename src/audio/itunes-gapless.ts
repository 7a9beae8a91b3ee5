import { Buffer } from 'node:buffer';
import { formatBox, formatFullBox } from './mp4-box';

/** Samples that a decoder of AAC drops at the ends, per channel. */
export interface GaplessSamples {
  readonly delay: number;
  readonly padding: number;
  readonly samples: number;
}

/**
 * A `udta` box with the tag iTunSMPB.
 *
 * The edit list says the same, but ffmpeg (and what is built on it) heeds no edit list in a
 * fragmented file: without this tag it plays the encoder's delay as well.
 */
export function formatGaplessTag({ delay, padding, samples }: GaplessSamples): Buffer {
  const text = [
    hex(0, 8),
    hex(delay, 8),
    hex(padding, 8),
    hex(samples, 16),
    ...Array.from({ length: 8 }, () => hex(0, 8)),
  ];
  const tag = formatBox('----', [
    formatFullBox('mean', 0, 0, [Buffer.from('com.apple.iTunes')]),
    formatFullBox('name', 0, 0, [Buffer.from('iTunSMPB')]),
    formatFullBox('data', 0, UTF8, [LOCALE, Buffer.from(` ${text.join(' ')}`)]),
  ]);
  const meta = formatFullBox('meta', 0, 0, [HANDLER, formatBox('ilst', [tag])]);
  return formatBox('udta', [meta]);
}

/** the type of a value, and its locale: the default */
const UTF8 = 1;
const LOCALE = Buffer.alloc(4);

const HANDLER = formatFullBox('hdlr', 0, 0, [
  Buffer.alloc(4),
  Buffer.from('mdirappl', 'latin1'),
  Buffer.alloc(9),
]);

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}
