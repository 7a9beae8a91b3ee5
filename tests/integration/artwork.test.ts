import { mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { createTagReader, type TagReader } from '../../src/adapters/tag-reader';
import { encode, ffmpeg, selectFile } from '../support/audio-files';
import { startApp, type TestApp } from '../support/build-app';
import {
  apic,
  claimSize,
  CORNERS,
  difference,
  drawQuarters,
  id3v2,
  look,
} from '../support/cover-pictures';
import { parseJson, send, type Answer } from '../support/http-client';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const WEBP = { Accept: 'image/avif,image/webp,image/*,*/*;q=0.8' };
const MIB = 1024 * 1024;

let folder: string;
let cacheFolder: string;
let app: TestApp;
let audio: Buffer;
/** 600 x 400 */
let cover: Buffer;
const authorization = bearer();

jest.setTimeout(120_000);

beforeAll(async () => {
  folder = createTempFolder();
  cacheFolder = createTempFolder();
  await encode(join(folder, 'plain.mp3'), 1, ['-write_id3v2', '0', '-write_xing', '0']);
  audio = await readFile(join(folder, 'plain.mp3'));
  cover = await drawQuarters(600, 400).png().toBuffer();
  app = await startApp({
    AUDIO_FILES_DIR: folder,
    CACHE_DIR: cacheFolder,
    RATE_LIMIT_MAX: '100000',
  });
});

afterAll(async () => {
  await app.close();
  removeTempFolders();
});

function get(
  id: string,
  query = '',
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
): Promise<Answer> {
  const path = `/api/stream/${encodeURIComponent(id)}/artwork${query}`;
  return send(app.port, path, { method, headers: { Authorization: authorization, ...headers } });
}

/** A track of this name with these bytes in front of its audio. */
async function writeTrack(name: string, tag: Buffer = Buffer.alloc(0)): Promise<string> {
  const path = join(folder, `${name}.mp3`);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, Buffer.concat([tag, audio]));
  return name;
}

function validatorOf({ headers }: Answer): string {
  return (headers.etag ?? '').slice(1).split('~')[0] ?? '';
}

describe('artwork from tags', () => {
  beforeAll(async () => {
    await writeFile(join(folder, 'quarters.png'), cover);
    const inputs = ['-i', join(folder, 'plain.mp3'), '-i', join(folder, 'quarters.png')];
    const attach = ['-map', '0:a', '-map', '1:v', '-c:v', 'copy', '-disposition:v', 'attached_pic'];
    await ffmpeg([...inputs, ...attach, join(folder, 'in-mp3.mp3')]);
    await ffmpeg([...inputs, ...attach, join(folder, 'in-flac.flac')]);
    await ffmpeg([...inputs, ...attach, '-c:a', 'aac', join(folder, 'in-m4a.m4a')]);
    await ffmpeg([...inputs, ...attach, '-write_id3v2', '1', join(folder, 'in-aiff.aiff')]);
    await writeCommentPicture('in-vorbis.ogg', ['-c:a', 'libvorbis']);
    await writeCommentPicture('in-opus.opus', ['-c:a', 'libopus']);
    const attachment = join(folder, 'quarters.png');
    await ffmpeg([
      ...['-i', join(folder, 'plain.mp3'), '-attach', attachment],
      ...['-metadata:s:t', 'mimetype=image/png', '-c:a', 'libopus', '-f', 'matroska'],
      join(folder, 'in-webm.webm'),
    ]);
    await writeFile(join(folder, 'in-ape.mp3'), Buffer.concat([audio, apeTag(cover)]));
  });

  async function writeCommentPicture(name: string, args: readonly string[]): Promise<void> {
    const head = Buffer.alloc(32);
    head.writeUInt32BE(3, 0);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(cover.length);
    // type 3, no media type, no description, no dimensions; it must be known by its bytes
    const block = Buffer.concat([head.subarray(0, 28), length, cover]).toString('base64');
    const list = join(folder, 'list.txt');
    const value = block.replaceAll('=', '\\=');
    await writeFile(list, `;FFMETADATA1\nMETADATA_BLOCK_PICTURE=${value}\n`);
    const maps = ['-map', '0:a', '-map_metadata', '1', '-map_metadata:s:a', '1'];
    const inputs = ['-i', join(folder, 'plain.mp3'), '-i', list];
    await ffmpeg([...inputs, ...maps, ...args, join(folder, name)]);
  }

  it.each(['mp3', 'flac', 'm4a', 'aiff', 'vorbis', 'opus', 'webm', 'ape'])(
    'is the stored picture, byte for byte, and resized: %s',
    async (kind) => {
      const original = await get(`in-${kind}`);
      expect([original.status, original.headers['content-type']]).toEqual([200, 'image/png']);
      expect(original.content.equals(cover)).toBe(true);

      const { status, headers, content } = await get(`in-${kind}`, '?size=150');
      expect([status, headers['content-type']]).toEqual([200, 'image/jpeg']);
      const seen = await look(content);
      expect(seen).toMatchObject({ format: 'jpeg', width: 150, height: 100 });
      expect(difference(seen.corners, CORNERS)).toBeLessThan(6);
    },
  );

  it('is the front cover, whatever comes before it', async () => {
    const back = await drawQuarters(90, 90).negate().png().toBuffer();
    const id = await writeTrack('several', id3v2([apic(back, 4), apic(cover, 3), apic(back, 5)]));
    expect((await get(id)).content.equals(cover)).toBe(true);
  });

  it('is known by its bytes, not by the words of the tag', async () => {
    const jpeg = await drawQuarters(300, 300).jpeg().toBuffer();
    const id = await writeTrack('mislabelled', id3v2([apic(jpeg, 3, 'text/html')]));
    expect((await get(id)).headers['content-type']).toBe('image/jpeg');
  });

  it.each([
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'],
    ['HTML', '<!doctype html><script>alert(1)</script>'],
    ['a link', 'http://127.0.0.1/cover.png'],
    ['BMP', 'BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0'],
  ])('is never %s', async (what, text) => {
    const picture = Buffer.from(text, 'latin1');
    const id = await writeTrack(`not ${what}`, id3v2([apic(picture, 3, 'image/png')]));
    for (const query of ['', '?size=64']) {
      const answer = await get(id, query);
      expect([answer.status, parseJson(answer).code]).toEqual([404, 'artwork_not_found']);
    }
  });

  it('is of the state that the track is in', async () => {
    const id = await writeTrack('changing', id3v2([apic(cover)]));
    const before = await get(id, '?size=64');
    const other = await drawQuarters(300, 300).png().toBuffer();
    await writeTrack('next', id3v2([apic(other)]));
    await rename(join(folder, 'next.mp3'), join(folder, 'changing.mp3'));
    const after = await get(id, '?size=64', { 'If-None-Match': before.headers.etag ?? '' });
    expect(after.status).toBe(200);
    expect(await look(after.content)).toMatchObject({ width: 64, height: 64 });
  });
});

function apeTag(picture: Buffer): Buffer {
  const value = Buffer.concat([Buffer.from('cover.png\0'), picture]);
  const item = Buffer.alloc(8);
  item.writeUInt32LE(value.length, 0);
  item.writeUInt32LE(2, 4);
  const items = Buffer.concat([item, Buffer.from('Cover Art (Front)\0'), value]);
  const footer = Buffer.alloc(32);
  footer.write('APETAGEX', 'latin1');
  footer.writeUInt32LE(2000, 8);
  footer.writeUInt32LE(items.length + 32, 12);
  footer.writeUInt32LE(1, 16);
  return Buffer.concat([items, footer]);
}

describe('artwork beside the track', () => {
  it.each(['cover.jpg', 'Folder.JPEG', 'FRONT.Png', 'cOvEr.webp'])('is found: %s', async (name) => {
    const id = await writeTrack(`beside ${name}/track`);
    const format = /png|webp/i.exec(name)?.[0].toLowerCase() ?? 'jpeg';
    const picture = await drawQuarters(400, 400)
      .toFormat(format as 'jpeg')
      .toBuffer();
    await writeFile(join(folder, `beside ${name}`, name), picture);
    const original = await get(id);
    expect([original.status, original.headers['content-type']]).toEqual([200, `image/${format}`]);
    expect(original.content.equals(picture)).toBe(true);
    const small = await look((await get(id, '?size=100')).content);
    expect(small).toMatchObject({ format: 'jpeg', width: 100, height: 100 });
    expect(difference(small.corners, CORNERS)).toBeLessThan(8);
  });

  it('stands back behind a picture in the tags, and cover before folder', async () => {
    const small = await drawQuarters(64, 64).png().toBuffer();
    const bare = await writeTrack('order/bare');
    const tagged = await writeTrack('order/tagged', id3v2([apic(cover)]));
    await writeFile(join(folder, 'order/folder.jpg'), await drawQuarters(99, 99).jpeg().toBuffer());
    await writeFile(join(folder, 'order/Cover.png'), small);
    expect((await get(bare)).content.equals(small)).toBe(true);
    expect((await get(tagged)).content.equals(cover)).toBe(true);
  });

  it('is seen when it comes, changes and goes', async () => {
    const id = await writeTrack('later/track');
    const path = join(folder, 'later/cover.png');
    expect((await get(id)).status).toBe(404);
    await writeFile(path, cover);
    const first = await get(id, '?size=80');
    expect(first.status).toBe(200);
    await writeFile(path, await drawQuarters(300, 300).png().toBuffer());
    await utimes(path, 1e9, 1e9);
    const known = { 'If-None-Match': first.headers.etag ?? '' };
    const second = await get(id, `?size=80&v=${validatorOf(first)}`, known);
    expect([second.status, second.headers['cache-control']]).toEqual([200, 'private, no-cache']);
    expect(await look(second.content)).toMatchObject({ width: 80, height: 80 });
    await rm(path);
    expect((await get(id, '?size=80', known)).status).toBe(404);
  });

  it.each([
    ['a link out of the library', (path: string) => symlink('/etc/hostname', path)],
    [
      'a link to a picture outside',
      async (path: string) => {
        const outside = join(createTempFolder(), 'cover.png');
        await writeFile(outside, cover);
        await symlink(outside, path);
      },
    ],
    ['a folder', (path: string) => mkdir(path)],
    ['text', (path: string) => writeFile(path, '<svg/>')],
    ['empty', (path: string) => writeFile(path, '')],
    ['above 10 MB', (path: string) => writeFile(path, Buffer.concat([cover, Buffer.alloc(1e7)]))],
  ])('is none when it is %s', async (what, make) => {
    const id = await writeTrack(`odd ${what}/track`);
    await make(join(folder, `odd ${what}`, 'cover.png'));
    const answer = await get(id);
    expect([answer.status, parseJson(answer).code]).toEqual([404, 'artwork_not_found']);
  });

  it('is there for a crowd as well, whose track stays open', async () => {
    const id = await writeTrack('crowd/track');
    await writeFile(join(folder, 'crowd/cover.png'), cover);
    for (let i = 0; i < 10; i += 1) expect((await get(id)).content.equals(cover)).toBe(true);
  });

  it('may be a link that stays inside', async () => {
    const id = await writeTrack('linked/track');
    await writeFile(join(folder, 'shared-picture.png'), cover);
    await symlink('../shared-picture.png', join(folder, 'linked/cover.png'));
    expect((await get(id)).content.equals(cover)).toBe(true);
  });
});

describe('artwork in a size', () => {
  it.each([
    ['a larger one is not enlarged', '?size=1024', 600, 400],
    ['the smallest', '?size=64', 64, 43],
  ])('%s', async (_what, query, width, height) => {
    const id = await writeTrack('sizes', id3v2([apic(cover)]));
    expect(await look((await get(id, query)).content)).toMatchObject({ width, height });
  });

  it.each(['63', '1025', '0', '-1', '', '100.5', '1e2', '0x80', '٣٠٠', 'large', '300&size=400'])(
    'is refused: %s',
    async (size) => {
      const id = await writeTrack('sizes', id3v2([apic(cover)]));
      const answer = await get(id, `?size=${encodeURI(size)}`);
      expect([answer.status, parseJson(answer)]).toEqual([
        400,
        {
          status: 'error',
          code: 'bad_request',
          message: 'size must be a whole number from 64 to 1024, or original',
        },
      ]);
    },
  );

  it('is WebP where that is accepted, and says what it depends on', async () => {
    const id = await writeTrack('negotiated', id3v2([apic(cover)]));
    const [webp, jpeg] = [await get(id, '?size=200', WEBP), await get(id, '?size=200')];
    expect([webp.headers['content-type'], jpeg.headers['content-type']]).toEqual([
      'image/webp',
      'image/jpeg',
    ]);
    expect([webp.headers.vary, jpeg.headers.vary]).toEqual(['Accept', 'Accept']);
    expect(webp.headers.etag).not.toBe(jpeg.headers.etag);
    const seen = await look(webp.content);
    expect(seen).toMatchObject({ format: 'webp', width: 200, height: 133 });
    expect(difference(seen.corners, CORNERS)).toBeLessThan(8);
    expect((await get(id, '', WEBP)).headers.vary).toBeUndefined();
  });

  it('is upright, in sRGB, and says nothing of the place where it was taken', async () => {
    const exif = { IFD0: { Copyright: 'somebody' }, IFD3: { GPSLatitudeRef: 'N' } };
    const turned = await drawQuarters(300, 200)
      .withExif(exif)
      .withMetadata({ orientation: 6 })
      .jpeg({ quality: 95 })
      .toBuffer();
    expect((await sharp(turned).metadata()).exif).toBeDefined();
    const id = await writeTrack('turned', id3v2([apic(turned)]));
    for (const accept of [{}, WEBP]) {
      const { content } = await get(id, '?size=150', accept);
      const { exif: left, orientation, icc, xmp } = await sharp(content).metadata();
      expect([left, orientation, icc, xmp]).toEqual([undefined, undefined, undefined, undefined]);
      const seen = await look(content);
      expect(seen).toMatchObject({ width: 100, height: 150 });
      // orientation 6: what is stored at the left is shown above
      const [a, b, c, d] = CORNERS;
      expect(difference(seen.corners, [c!, a!, d!, b!])).toBeLessThan(8);
    }
  });

  it('is the first frame of an animation, on white where it is transparent', async () => {
    const frame = Buffer.concat([
      Buffer.alloc(70 * 70 * 4),
      Buffer.alloc(70 * 70 * 4, 'yAAA/w==', 'base64'),
    ]);
    const gif = await sharp(frame, { raw: { width: 70, height: 140, channels: 4, pageHeight: 70 } })
      .gif()
      .toBuffer();
    expect((await sharp(gif).metadata()).pages).toBe(2);
    const id = await writeTrack('animated', id3v2([apic(gif)]));
    const original = await get(id);
    expect([original.headers['content-type'], original.content.equals(gif)]).toEqual([
      'image/gif',
      true,
    ]);
    const seen = await look((await get(id, '?size=64')).content);
    expect(seen).toMatchObject({ width: 64, height: 64 });
    expect(difference(seen.corners, Array(4).fill([255, 255, 255]))).toBeLessThan(3);
  });

  it('is made once, however many ask, and then kept', async () => {
    const id = await writeTrack('kept', id3v2([apic(cover)]));
    const before = (await readdir(cacheFolder, { recursive: true })).length;
    const answers = await Promise.all(Array.from({ length: 12 }, () => get(id, '?size=333')));
    expect(new Set(answers.map(({ content }) => content.toString('base64'))).size).toBe(1);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect((await readdir(cacheFolder, { recursive: true })).length).toBe(before + 1);
  });

  it('waits for its turn when a page asks for all its covers at once', async () => {
    const ids = await Promise.all(
      Array.from({ length: 40 }, (_, i) => writeTrack(`page/${i}`, id3v2([apic(cover)]))),
    );
    const answers = await Promise.all(ids.map((id) => get(id, '?size=300')));
    expect(answers.map(({ status }) => status)).toEqual(ids.map(() => 200));
  });
});

describe('HTTP of artwork', () => {
  let id: string;

  beforeAll(async () => {
    id = await writeTrack('http', id3v2([apic(cover)]));
  });

  it('is safe to show, and cached only after asking', async () => {
    const { headers } = await get(id, '?size=100');
    expect(headers).toMatchObject({
      'cache-control': 'private, no-cache',
      'content-disposition': 'inline; filename="artwork.jpg"',
      'content-security-policy': "default-src 'none';frame-ancestors 'none';sandbox",
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'cross-origin',
    });
    expect(headers['last-modified']).toBeDefined();
    expect(headers.etag).toMatch(/^"[\w-]+~100-jpeg-[\w-]+"$/);
  });

  it('is immutable under the address that has its validator', async () => {
    const stream = await send(app.port, `/api/stream/${id}`, {
      method: 'HEAD',
      headers: { Authorization: authorization },
    });
    const v = (stream.headers.etag ?? '').slice(1, -1);
    const immutable = 'private, max-age=31536000, immutable';
    for (const query of [`?v=${v}`, `?size=100&v=${v}`]) {
      const { headers } = await get(id, query);
      expect(headers['cache-control']).toBe(immutable);
      const again = await get(id, query, { 'If-None-Match': headers.etag ?? '' });
      expect([again.status, again.headers['cache-control']]).toEqual([304, immutable]);
    }
    for (const query of ['?v=', `?v=${v}x`, '?v=old', `?v=%22${v}%22`]) {
      const { status, headers } = await get(id, query);
      expect([status, headers['cache-control']]).toEqual([200, 'private, no-cache']);
    }
  });

  it('answers 304, 412 and ranges as everything else does', async () => {
    const whole = await get(id, '?size=100');
    const { etag = '' } = whole.headers;
    const revalidated = await get(id, '?size=100', { 'If-None-Match': etag });
    expect([revalidated.status, revalidated.content.length]).toEqual([304, 0]);
    expect(revalidated.headers).toMatchObject({ etag, vary: 'Accept' });
    expect((await get(id, '?size=101', { 'If-None-Match': etag })).status).toBe(200);
    expect((await get(id, '?size=100', { 'If-Match': '"other"' })).status).toBe(412);

    const part = await get(id, '?size=100', { Range: 'bytes=10-19', 'If-Range': etag });
    expect([part.status, part.headers['content-range']]).toEqual([
      206,
      `bytes 10-19/${whole.content.length}`,
    ]);
    expect(part.content.equals(whole.content.subarray(10, 20))).toBe(true);
    expect((await get(id, '?size=100', { Range: 'bytes=99999999-' })).status).toBe(416);
  });

  it('has a length and ranges from the first answer on', async () => {
    const first = await get(id, '?size=555', { Range: 'bytes=0-9' });
    expect([first.status, first.content.length]).toEqual([206, 10]);
    const whole = await get(id, '?size=556');
    expect(whole.headers).toMatchObject({
      'content-length': String(whole.content.length),
      'accept-ranges': 'bytes',
    });
  });

  it('answers HEAD like GET, and makes nothing for it', async () => {
    const before = (await readdir(cacheFolder, { recursive: true })).length;
    const cold = await get(id, '?size=777', {}, 'HEAD');
    expect([cold.status, cold.content.length]).toEqual([200, 0]);
    expect((await readdir(cacheFolder, { recursive: true })).length).toBe(before);
    const whole = await get(id, '?size=777');
    expect(cold.headers.etag).toBe(whole.headers.etag);
    const { headers } = await get(id, '?size=777', {}, 'HEAD');
    expect(headers['content-length']).toBe(String(whole.content.length));
    expect(headers['content-type']).toBe('image/jpeg');
  });

  it('keeps what CORS varies by', async () => {
    const origin = 'https://player.example.com';
    const other = await startApp({ AUDIO_FILES_DIR: folder, CORS_ORIGIN: origin });
    try {
      const { headers } = await send(other.port, `/api/stream/${id}/artwork?size=100`, {
        headers: { Authorization: authorization, Origin: origin },
      });
      expect(headers.vary).toBe('Origin, Accept');
    } finally {
      await other.close();
    }
  });

  it('wants a token, and a track', async () => {
    expect((await get(id, '', { Authorization: '' })).status).toBe(401);
    expect(parseJson(await get('no-such-track')).code).toBe('track_not_found');
    const answer = await get('plain');
    expect([answer.status, parseJson(answer).code]).toEqual([404, 'artwork_not_found']);
    expect(answer.headers['cache-control']).toBe('no-store');
  });
});

describe('hostile pictures', () => {
  it.each([
    ['a PNG that claims 20,000 x 20,000', () => claimSize(20_000, 20_000), ['', '?size=100']],
    [
      'a JPEG that ends too early',
      async () => {
        const jpeg = await drawQuarters(500, 500).jpeg().toBuffer();
        return jpeg.subarray(0, jpeg.length / 2);
      },
      ['?size=100'],
    ],
    [
      'a head and nothing else',
      () => Promise.resolve(Buffer.from('89504e470d0a1a0a', 'hex')),
      ['', '?size=100'],
    ],
    [
      'a JPEG of noise',
      () => Promise.resolve(Buffer.concat([Buffer.from('ffd8ffe0', 'hex'), Buffer.alloc(9999, 7)])),
      ['', '?size=100'],
    ],
  ])('%s is undecodable', async (what, make, queries) => {
    const id = await writeTrack(`hostile ${what}`, id3v2([apic(await make())]));
    for (const query of queries) {
      const answer = await get(id, query);
      expect([answer.status, parseJson(answer).code]).toEqual([422, 'track_undecodable']);
    }
  });

  it.each([
    ['APIC of 60 MB', 'mp3', () => id3v2([apic(Buffer.alloc(60 * MIB, 0xff))])],
    ['APE item of 12 MB', 'ape', () => apeTag(Buffer.concat([cover, Buffer.alloc(12 * MIB)]))],
    ['PICTURE of 12 MB', 'flac', () => flacPicture(Buffer.concat([cover, Buffer.alloc(12 * MIB)]))],
    ['covr of 12 MB', 'mp4', () => covr(Buffer.concat([cover, Buffer.alloc(12 * MIB)]))],
  ] as const)('%s is refused without being read', async (_what, kind, make) => {
    const name = `bomb.${kind}`;
    const parts = { mp3: [make(), audio], ape: [audio, make()], flac: [make()], mp4: [make()] };
    await writeFile(join(folder, name), Buffer.concat(parts[kind]));
    const reader: TagReader = createTagReader({ workerFile: process.env.TEST_TAG_WORKER! });
    try {
      const format = kind === 'ape' ? 'mp3' : kind;
      const { selected, usage } = selectFile(folder, name, format);
      expect(await reader.readPicture(selected.track, format)).toBeUndefined();
      expect(usage.readBytes).toBeLessThan(MIB);
    } finally {
      await reader.close();
    }
  });

  it('lets no picture of 60 MB hide the one beside the track', async () => {
    const id = await writeTrack('large/track', id3v2([apic(Buffer.alloc(60 * MIB, 0xff))]));
    await writeFile(join(folder, 'large/cover.png'), cover);
    expect((await get(id)).content.equals(cover)).toBe(true);
  });
});

function flacPicture(picture: Buffer): Buffer {
  const body = Buffer.concat([Buffer.alloc(28), Buffer.alloc(4), picture]);
  body.writeUInt32BE(3, 0);
  body.writeUInt32BE(picture.length, 28);
  const head = Buffer.alloc(4);
  head.writeUInt32BE((0x86 << 24) >>> 0);
  head.writeUIntBE(body.length, 1, 3);
  const streamInfo = Buffer.concat([Buffer.from([0, 0, 0, 34]), Buffer.alloc(34, 1)]);
  return Buffer.concat([Buffer.from('fLaC'), streamInfo, head, body]);
}

function covr(picture: Buffer): Buffer {
  const box = (name: string, ...content: readonly Buffer[]): Buffer => {
    const bytes = Buffer.concat(content);
    const head = Buffer.alloc(8);
    head.writeUInt32BE(bytes.length + 8);
    head.write(name, 4, 'latin1');
    return Buffer.concat([head, bytes]);
  };
  const data = box('data', Buffer.from([0, 0, 0, 14, 0, 0, 0, 0]), picture);
  const meta = box('meta', Buffer.alloc(4), box('ilst', box('covr', data)));
  return Buffer.concat([
    box('ftyp', Buffer.from('M4A \0\0\0\0', 'latin1')),
    box('moov', box('udta', meta)),
  ]);
}
