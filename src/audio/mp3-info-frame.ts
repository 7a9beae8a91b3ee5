import { Buffer } from 'node:buffer';
import { crc16 } from './crc16';
import {
  formatFrameHeader,
  mp3BitRates,
  nominalFrameBytes,
  sideInformationBytes,
  type Mp3Form,
} from './mpeg-frame';

const FRAME_HEADER_BYTES = 4;
const XING_BYTES = 120;
const LAME_BYTES = 36;
const TOC_ENTRIES = 100;
const MOST_UINT32 = 0xffff_ffff;

/** All that the header frame says. */
export interface InfoTag extends Mp3Form {
  /** audio frames, the header frame not counted */
  readonly frameCount: number;
  readonly headerBytes: number;
  /** header frame and all audio frames */
  readonly lengthBytes: number;
  readonly encoderDelaySamples: number;
  readonly encoderPaddingSamples: number;
}

/** How long the header frame of such a stream is. */
export function infoFrameBytes(form: Mp3Form): number {
  return nominalFrameBytes(infoFrameForm(form));
}

/**
 * The silent frame in front of a constant bit rate MP3: Xing's fields under the name "Info", and
 * LAME's with encoder delay and padding, so that players show the duration, seek, and play gapless.
 *
 * The checksum over the sound stays 0, since the sound is not encoded yet; that of the tag is true.
 *
 * @see https://gabriel.mp3-tech.org/mp3infotag.html
 */
export function formatInfoFrame(tag: InfoTag): Buffer {
  const frame = Buffer.alloc(infoFrameBytes(tag));
  frame.set(formatFrameHeader(infoFrameForm(tag)));
  const xing = FRAME_HEADER_BYTES + sideInformationBytes(tag);
  writeXing(frame.subarray(xing, xing + XING_BYTES), tag);
  const lame = frame.subarray(xing + XING_BYTES, xing + XING_BYTES + LAME_BYTES);
  writeLame(lame, tag);
  const covered = frame.subarray(0, xing + XING_BYTES + LAME_BYTES - 2);
  lame.writeUInt16BE(crc16(covered), LAME_BYTES - 2);
  return frame;
}

/** A frame of a low bit rate has no room for the tag: then this one frame has the next that does. */
function infoFrameForm(form: Mp3Form): Mp3Form {
  const needed = FRAME_HEADER_BYTES + sideInformationBytes(form) + XING_BYTES + LAME_BYTES;
  const bitRateKbps = mp3BitRates(form.sampleRateHz).find(
    (rate) =>
      rate >= form.bitRateKbps && nominalFrameBytes({ ...form, bitRateKbps: rate }) >= needed,
  );
  if (bitRateKbps === undefined) throw new RangeError('no bit rate has room for the tag');
  return { ...form, bitRateKbps };
}

function writeXing(part: Buffer, tag: InfoTag): void {
  part.write('Info', 0, 'latin1');
  // frames, bytes, table and quality follow
  part.writeUInt32BE(0b1111, 4);
  part.writeUInt32BE(tag.frameCount, 8);
  // beyond 4 GiB (30 hours of 320 kbit/s) the field can't say it, and 0 is taken for unknown
  part.writeUInt32BE(tag.lengthBytes > MOST_UINT32 ? 0 : tag.lengthBytes, 12);
  const soundBytes = tag.lengthBytes - tag.headerBytes;
  for (let percent = 0; percent < TOC_ENTRIES; percent++) {
    const offset = tag.headerBytes + (percent / TOC_ENTRIES) * soundBytes;
    part[16 + percent] = Math.floor((256 * offset) / tag.lengthBytes);
  }
}

function writeLame(part: Buffer, tag: InfoTag): void {
  // ffmpeg and others believe the delays only of LAME and of themselves, and LAME it is
  part.write('LAME3.100', 0, 'latin1');
  // revision 0, method 1: constant bit rate
  part[9] = 1;
  part[20] = Math.min(tag.bitRateKbps, 0xff);
  part.writeUIntBE((tag.encoderDelaySamples << 12) | tag.encoderPaddingSamples, 21, 3);
  part.writeUInt32BE(tag.lengthBytes > MOST_UINT32 ? 0 : tag.lengthBytes, 28);
}
