import { Buffer } from 'node:buffer';
import { formatBox } from './mp4-box';

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
    formatBox('mean', [FULL_BOX, Buffer.from('com.apple.iTunes')]),
    formatBox('name', [FULL_BOX, Buffer.from('iTunSMPB')]),
    formatBox('data', [UTF8_DATA, Buffer.from(` ${text.join(' ')}`)]),
  ]);
  const meta = formatBox('meta', [FULL_BOX, HANDLER, formatBox('ilst', [tag])]);
  return formatBox('udta', [meta]);
}

const FULL_BOX = Buffer.alloc(4);

/** type 1 is UTF-8, in the default locale */
const UTF8_DATA = Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]);

const HANDLER = formatBox('hdlr', [
  Buffer.alloc(8),
  Buffer.from('mdirappl', 'latin1'),
  Buffer.alloc(9),
]);

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}
