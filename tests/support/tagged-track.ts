/** MPEG-1 layer III, 128 kbit/s at 44.1 kHz, without padding. */
const FRAME_BYTES = 417;
const FRAME_HEADER = Buffer.from([0xff, 0xfb, 0x90, 0x00]);

export interface Tags {
  readonly title?: string;
  readonly artist?: string;
  readonly album?: string;
}

/** An MP3 of some silent frames with an ID3v2.4 tag. */
export function taggedTrack({ title, artist, album }: Tags = {}, frames = 4): Buffer {
  const texts = { TIT2: title, TPE1: artist, TALB: album };
  const tags = Object.entries(texts).flatMap(([name, text]) => {
    if (text === undefined) return [];
    // 3: UTF-8
    const content = Buffer.concat([Buffer.of(3), Buffer.from(text)]);
    return [Buffer.from(name), synchsafe(content.length), Buffer.of(0, 0), content];
  });
  const tag = Buffer.concat(tags);
  const frame = Buffer.alloc(FRAME_BYTES);
  FRAME_HEADER.copy(frame);
  return Buffer.concat([
    Buffer.from('ID3\x04\x00\x00', 'latin1'),
    synchsafe(tag.length),
    tag,
    ...Array.from({ length: frames }, () => frame),
  ]);
}

/** @see ID3v2.4.0 structure §6.2 */
function synchsafe(length: number): Buffer {
  return Buffer.of(...[21, 14, 7, 0].map((shift) => (length >> shift) & 0x7f));
}
