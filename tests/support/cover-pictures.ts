import sharp, { type Sharp } from 'sharp';

type Colour = readonly [red: number, green: number, blue: number];

/** Of the corners: above left, above right, below left, below right. */
export const CORNERS: readonly Colour[] = [
  [220, 30, 30],
  [30, 180, 40],
  [30, 40, 210],
  [230, 220, 40],
];

/** A picture whose quarters have colours of their own, so that turns and cuts show. */
export function drawQuarters(width: number, height: number): Sharp {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const corner = CORNERS[(y < height / 2 ? 0 : 2) + (x < width / 2 ? 0 : 1)] ?? [0, 0, 0];
      pixels.set(corner, (y * width + x) * 3);
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** Type, size, and the mean colour of the middle of each quarter, in the order of {@link CORNERS}. */
export async function look(picture: Buffer): Promise<{
  readonly format: string;
  readonly width: number;
  readonly height: number;
  readonly corners: readonly Colour[];
}> {
  const { format, width, height } = await sharp(picture).metadata();
  const corners: Colour[] = [];
  for (const [x, y] of [
    [1, 1],
    [5, 1],
    [1, 5],
    [5, 5],
  ] as const) {
    // stats() alone would look at the whole picture
    const quarter = await sharp(picture)
      .extract({
        left: Math.floor((width * x) / 8),
        top: Math.floor((height * y) / 8),
        width: Math.floor(width / 4),
        height: Math.floor(height / 4),
      })
      .png()
      .toBuffer();
    const { channels } = await sharp(quarter).stats();
    const [red, green, blue] = channels.map(({ mean }) => Math.round(mean));
    corners.push([red ?? 0, green ?? 0, blue ?? 0]);
  }
  return { format, width, height, corners };
}

/** The greatest difference of any colour in any corner. */
export function difference(a: readonly Colour[], b: readonly Colour[]): number {
  return Math.max(
    ...a.flatMap((colour, i) => colour.map((v, k) => Math.abs(v - (b[i]?.[k] ?? 0)))),
  );
}

/** An ID3v2.3 tag; sizes as large as they are. */
export function id3v2(frames: readonly (readonly [id: string, content: Buffer])[]): Buffer {
  const content = Buffer.concat(
    frames.flatMap(([id, bytes]) => {
      const header = Buffer.alloc(10);
      header.write(id, 'latin1');
      header.writeUInt32BE(bytes.length, 4);
      return [header, bytes];
    }),
  );
  const size = [21, 14, 7, 0].map((shift) => (content.length >> shift) & 0x7f);
  return Buffer.concat([Buffer.from([0x49, 0x44, 0x33, 3, 0, 0, ...size]), content]);
}

/** @param type 3 is the front cover, 4 the back */
export function apic(
  picture: Buffer,
  type = 3,
  mediaType = 'image/png',
): readonly [string, Buffer] {
  const head = Buffer.from(`\0${mediaType}\0${String.fromCharCode(type)}\0`, 'latin1');
  return ['APIC', Buffer.concat([head, picture])];
}

/** A PNG that claims more pixels than it has. */
export async function claimSize(width: number, height: number): Promise<Buffer> {
  const png = await drawQuarters(8, 8).png().toBuffer();
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return png;
}

function crc32(bytes: Buffer): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}
