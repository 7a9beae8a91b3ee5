import { Buffer } from 'node:buffer';
import { formatGaplessTag } from './itunes-gapless';
import { BOX_HEADER_BYTES, boxType, formatBox, splitBoxes } from './mp4-box';

const MOST_UINT32 = 0xffff_ffff;

const AAC_FRAME_SAMPLES = 1024;

/** What ffmpeg's own AAC encoder puts in front: one frame. */
const ENCODER_DELAY_SAMPLES = 1024;

/** The sound of a track, in the time scale that ffmpeg gives sound: its sample rate. */
export interface Mp4Sound {
  /** per channel, without encoder delay */
  readonly samples: number;
  readonly sampleRateHz: number;
}

/**
 * How many bytes of a fragmented MP4 its head (ftyp and moov) takes.
 *
 * @param start as much of the stream as there is
 * @returns undefined while that is not known yet
 */
export function fragmentedHeadBytes(start: Buffer): number | undefined {
  for (let at = 0; at + BOX_HEADER_BYTES <= start.length;) {
    const size = start.readUInt32BE(at);
    // 0 and 1 (to the end, 64 bits) are nothing that ffmpeg gives a box of the head
    if (size < BOX_HEADER_BYTES) return undefined;
    const type = boxType(start.subarray(at));
    at += size;
    if (type === 'moov') return at;
  }
  return undefined;
}

/**
 * The head of a fragmented MP4 with duration and gapless fields, which ffmpeg can't write into a pipe.
 *
 * Players differ in where they look: movie, track and media header and the edit list get it, and
 * `mehd`, which the format means for this, is added. The movie's time scale becomes the sample rate, so
 * that the edit list ends at the exact sample. Fragments stay as they are, as long as nothing points
 * at them by their place in the file (`+default_base_moof`, `+skip_trailer`).
 *
 * @param head ftyp and moov with one track, as ffmpeg wrote them; not changed
 * @throws RangeError for a head that is not of this form
 * @see ISO/IEC 14496-12 §8.2.2, §8.3.2, §8.4.2, §8.6.6, §8.8.2
 */
export function patchFragmentedHead(head: Buffer, sound: Mp4Sound): Buffer {
  const times = scale(sound);
  return Buffer.concat(splitBoxes(head).map((box) => patchBox(box, times, sound)));
}

interface Times {
  /** of the movie: units per second */
  readonly timeScale: number;
  readonly movieUnits: number;
  readonly mediaUnits: number;
}

/** A day of sound and more outgrows 32 bits of samples: milliseconds do for it, 0 is unknown. */
function scale({ samples, sampleRateHz }: Mp4Sound): Times {
  if (samples <= MOST_UINT32) {
    return { timeScale: sampleRateHz, movieUnits: samples, mediaUnits: samples };
  }
  const milliseconds = Math.round((samples / sampleRateHz) * 1000);
  return { timeScale: 1000, movieUnits: milliseconds, mediaUnits: 0 };
}

function patchBox(box: Buffer, times: Times, sound: Mp4Sound): Buffer {
  const type = boxType(box);
  switch (type) {
    case 'moov':
      return formatBox(type, [
        ...patchAll(box, times, sound).filter((child) => boxType(child) !== 'udta'),
        formatGaplessTag(gapless(sound)),
      ]);
    case 'trak':
    case 'edts':
    case 'mdia':
      return formatBox(type, patchAll(box, times, sound));
    case 'mvex':
      return formatBox(type, [formatMehd(times), ...patchAll(box, times, sound)]);
    case 'mvhd':
      return withNumbers(box, { 20: times.timeScale, 24: times.movieUnits });
    case 'tkhd':
      return withNumbers(box, { 28: times.movieUnits });
    case 'mdhd':
      return withNumbers(box, { 24: times.mediaUnits });
    case 'elst':
      return withNumbers(box, { 16: times.movieUnits });
    default:
      return box;
  }
}

function patchAll(box: Buffer, times: Times, sound: Mp4Sound): Buffer[] {
  return splitBoxes(box.subarray(BOX_HEADER_BYTES)).map((child) => patchBox(child, times, sound));
}

function gapless({ samples }: Mp4Sound): Parameters<typeof formatGaplessTag>[0] {
  const frames = Math.ceil(samples / AAC_FRAME_SAMPLES);
  return { delay: ENCODER_DELAY_SAMPLES, padding: frames * AAC_FRAME_SAMPLES - samples, samples };
}

/** The same box with unsigned 32 bit numbers put in, by their offset in the box. */
function withNumbers(box: Buffer, numbers: Readonly<Record<number, number>>): Buffer {
  // version 1 has 64 bit fields at other offsets; ffmpeg writes it only for times after 2040
  if (box[BOX_HEADER_BYTES] !== 0) throw new RangeError('a box has an unexpected version');
  const patched = Buffer.from(box);
  for (const [offset, number] of Object.entries(numbers)) {
    patched.writeUInt32BE(number, Number(offset));
  }
  return patched;
}

function formatMehd({ movieUnits }: Times): Buffer {
  const content = Buffer.alloc(8);
  content.writeUInt32BE(movieUnits, 4);
  return formatBox('mehd', [content]);
}
