import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  open as openFile,
  realpath,
  rename,
  rm,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { AppError } from '../../src/errors';
import { createLocalStore, EXTENSIONS } from '../../src/storage/local-store';
import { type OpenedTrack, type TrackStore } from '../../src/storage/track-store';
import { patternedBytes } from '../support/patterned-bytes';

const FOREIGN = Buffer.from('foreign bytes');

/** holds the library `media`, and next to it what must never be seen */
let parent: string;
let root: string;
let store: TrackStore;
const opened: OpenedTrack[] = [];

beforeEach(async () => {
  parent = await realpath(await mkdtemp(join(tmpdir(), 'local-store-')));
  root = join(parent, 'media');
  await mkdir(root);
  store = createLocalStore(root);
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((track) => track.close()));
  await rm(parent, { recursive: true, force: true });
});

async function open(id: string, from = store): Promise<OpenedTrack> {
  const track = await from.open(id);
  opened.push(track);
  return track;
}

/** The track's bytes as text, or the code of the failure. */
async function outcomeOf(id: string, from = store): Promise<string> {
  try {
    const track = await open(id, from);
    return (await wholeOf(track)).toString('latin1');
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}

async function wholeOf(track: OpenedTrack): Promise<Buffer> {
  if (track.sizeBytes === 0) return Buffer.alloc(0);
  return buffer(track.read({ firstPos: 0, lastPos: track.sizeBytes - 1 }));
}

async function put(path: string, content: string | Buffer = path): Promise<string> {
  const full = join(root, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, content);
  return full;
}

function countHandles(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Runs work as someone whom file modes bind; root is bound by none. */
async function asOrdinaryUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return work();
  process.seteuid?.(65_534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

/** Ids that lead, in one reading or another, to something else than a track of the library. */
function hostileIds(): string[] {
  const ups = [
    '../',
    '..//',
    './../',
    '.././',
    '..\\',
    '..;/',
    '.%2e/',
    '%2e%2e/',
    '%2e%2e%2f',
    '..%2f',
    '..%252f',
    '%252e%252e%252f',
    '%%32%65%%32%65/',
    '%%36%31',
    '..%c0%af',
    '%c0%ae%c0%ae/',
    '%e0%80%ae%e0%80%ae/',
    '%uff0e%uff0e/',
    '..%u2215',
    '..%ef%bc%8f',
    '..\u2215',
    '..\uff0f',
    '\uff0e\uff0e/',
    '\u2024\u2024/',
    '\u2025/',
    '..\u2044',
    '..\0/',
    '.\u200b./',
    '..\u00a0/',
    '.. /',
    ' ../',
    '..\t/',
    '..\n/',
    '..\r\n/',
    '.../',
    '..../',
    '....//',
    '%5c..%5c',
    '..%5c',
    '..\u29f5',
    '..\uff3c',
    'Artist/../../',
    'Artist/..//../',
    'Artist/./../../',
    'song.mp3/../../',
    'song.mp3/../',
    'song/../../',
  ];
  const targets = ['secret', 'secret.mp3', 'media-leak/secret', 'etc/passwd'];
  const hidden = [
    '.env',
    '.htaccess',
    '.git/config',
    'song.mp3/.git/config',
    'Artist/.env',
    '.song',
  ];
  const dots = ['.', '..', '...', './', '../', '/', '//', '', ' ', '. ', '.. ', '/.', '/..'];
  const absolute = ['/etc/passwd', '//etc/passwd', '/proc/self/environ', join(parent, 'secret')];
  const devices = ['CON', 'PRN', 'AUX', 'NUL', 'COM1', 'LPT1', 'aux', 'con/x', 'C:song', 'C:/song'];
  const streams = ['song::$DATA', 'song.mp3::$DATA', 'song:stream', 'song.mp3:Zone.Identifier'];
  const unc = ['\\\\host\\share', '//host/share', '\\\\?\\C:\\song', '\\\\.\\pipe\\song'];
  const urls = ['file:///etc/passwd', 'http://127.0.0.1/', 'data:,x', 'file:song', 'concat:song'];
  const ends = ['song.', 'song..', 'song ', 'song\t', 'song/', 'song//', 'song/.', 'song%00'];
  const nuls = ['song\0', 'song\0.mp3', '\0', 'song.mp3\0.flac', '../secret\0'];
  const shell = ['$HOME', '~', '~root', '$(id)', '`id`', ';id', '|id', '*', '?', 'so*', '[s]ong'];
  const objects = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'prototype/x'];
  const long = [
    'x'.repeat(256),
    'x'.repeat(300),
    'x'.repeat(5_000),
    'x/'.repeat(512),
    '🎵'.repeat(64),
  ];
  const odd = ['\ud800', 'song\ud800', '\ufeffsong', 'song\u200b', '\u202esong', 'ſong', 'SONG'];
  const files = [
    'song.mp3',
    'song.MP3',
    'song.mp',
    'son',
    'Artist',
    'Artist/',
    'notes.txt',
    'notes',
  ];
  return [
    ...ups.flatMap((up) => targets.map((target) => up + target)),
    ...hidden,
    ...dots,
    ...absolute,
    ...devices,
    ...streams,
    ...unc,
    ...urls,
    ...ends,
    ...nuls,
    ...shell,
    ...objects,
    ...long,
    ...odd,
    ...files,
  ];
}

describe('createLocalStore()', () => {
  describe('hostile ids', () => {
    beforeEach(async () => {
      await put('song.mp3');
      await put('Artist/Album/song.mp3');
      await put('.env', FOREIGN);
      await put('.env.mp3', FOREIGN);
      await put('.git/config.mp3', FOREIGN);
      await put('Artist/.env.mp3', FOREIGN);
      await put('notes.txt', FOREIGN);
      await put('notes', FOREIGN);
      await mkdir(join(parent, 'media-leak'));
      for (const name of ['secret', 'secret.mp3', 'media-leak/secret.mp3', 'media-leak/secret']) {
        await writeFile(join(parent, name), FOREIGN);
      }
    });

    it('are all unknown (B13, B14, B17), as they stand and decoded once more', async () => {
      const ids = new Set(hostileIds());
      for (const id of [...ids]) {
        try {
          ids.add(decodeURIComponent(id));
        } catch {
          // not every one is proper percent-encoding
        }
      }
      expect(ids.size).toBeGreaterThan(120);

      const outcomes: Record<string, string> = {};
      for (const id of ids) outcomes[id] = await outcomeOf(id);
      const known = Object.entries(outcomes).filter(([, outcome]) => outcome !== 'track_not_found');
      expect(known).toEqual([]);
      expect(Object.keys(outcomes).length).toBe(ids.size - (ids.has('__proto__') ? 1 : 0));
      expect(await outcomeOf('__proto__')).toBe('track_not_found');
    });

    it('tell nothing of the path in what the client sees', async () => {
      for (const id of ['../secret', 'unknown', 'x'.repeat(300)]) {
        const failure = (await store.open(id).catch((error: unknown) => error)) as AppError;
        expect(failure.message).not.toMatch(/secret|media|unknown|xxx|ENOENT|\//);
      }
    });
  });

  describe('names', () => {
    it('prefers extensions in the order it states', async () => {
      const order = 'flac wav mp3 m4a m4b mp4 aac opus ogg oga webm weba aiff aif wma'.split(' ');
      expect(EXTENSIONS).toEqual(order);
      for (const extension of order) await put(`song.${extension}`);
      for (const extension of order) {
        expect(await outcomeOf('song')).toBe(`song.${extension}`);
        await unlink(join(root, `song.${extension}`));
      }
      expect(await outcomeOf('song')).toBe('track_not_found');
    });

    it('finds extensions in upper case, behind those in lower case', async () => {
      await put('Loud.MP3');
      await put('both.FLAC');
      await put('both.wma');
      const track = await open('Loud');
      expect(track).toMatchObject({ fileName: 'Loud.MP3', extension: 'mp3' });
      expect(await outcomeOf('both')).toBe('both.wma');
    });

    it('knows no other extensions', async () => {
      for (const name of ['song.txt', 'song.exe', 'song.mp3.txt', 'song', 'song.', 'song.mp33']) {
        await put(name);
      }
      expect(await outcomeOf('song')).toBe('track_not_found');
      expect(await outcomeOf('song.mp3')).toBe('track_not_found');
    });

    it('takes dots in a name for a part of it', async () => {
      await put('01. Song feat. X.mp3');
      await put('song.mp3.mp3');
      expect(await outcomeOf('01. Song feat. X')).toBe('01. Song feat. X.mp3');
      expect(await outcomeOf('song.mp3')).toBe('song.mp3.mp3');
    });

    it('takes names of any script and shape', async () => {
      const names = [
        'Песня',
        '坂本龍一',
        'أغنية',
        '🎵',
        'a b',
        'a%20b',
        'a+b',
        "it's",
        'a:b?*',
        '-rf',
      ];
      for (const name of names) {
        await put(`${name}/${name}.mp3`, name);
        expect(await outcomeOf(`${name}/${name}`)).toBe(Buffer.from(name).toString('latin1'));
      }
    });

    const composed = 'Beyonc\u00e9';
    const decomposed = 'Beyonce\u0301';

    it.each([
      ['composed, asked for decomposed', composed, decomposed],
      ['decomposed, asked for composed', decomposed, composed],
      ['composed', composed, composed],
      ['decomposed', decomposed, decomposed],
    ])('finds a name stored %s', async (_how, stored, asked) => {
      await put(`${stored}.mp3`, 'file');
      expect(await outcomeOf(asked)).toBe('file');
      const track = await open(asked);
      expect(track.fileName).toBe(`${stored}.mp3`);
    });

    it.each([
      ['composed, asked for decomposed', composed, decomposed],
      ['decomposed, asked for composed', decomposed, composed],
    ])('finds folders stored %s', async (_how, stored, asked) => {
      await put(`${stored}/Live/${stored}/song.mp3`, 'file');
      expect(await outcomeOf(`${asked}/Live/${asked}/song`)).toBe('file');
      expect(await outcomeOf(`${stored}/Live/${asked}/song`)).toBe('file');
    });

    it('finds a folder of one form with a file of the other', async () => {
      await put(`${composed}/${decomposed}.mp3`, 'file');
      for (const folder of [composed, decomposed]) {
        for (const name of [composed, decomposed]) {
          expect(await outcomeOf(`${folder}/${name}`)).toBe('file');
        }
      }
    });

    it('looks into both folders when there are both', async () => {
      await put(`${composed}/one.mp3`, 'one');
      await put(`${decomposed}/two.mp3`, 'two');
      for (const folder of [composed, decomposed]) {
        expect(await outcomeOf(`${folder}/one`)).toBe('one');
        expect(await outcomeOf(`${folder}/two`)).toBe('two');
      }
    });

    it('prefers the form that was asked for when there are both', async () => {
      await put(`${composed}.mp3`, 'composed');
      await put(`${decomposed}.mp3`, 'decomposed');
      expect(await outcomeOf(composed)).toBe('composed');
      expect(await outcomeOf(decomposed)).toBe('decomposed');
    });

    it('takes names as long as the file system does', async () => {
      const longest = 'x'.repeat(251);
      await put(`${longest}.mp3`, 'file');
      await put(`${'y'.repeat(255)}/song.mp3`, 'below');
      expect(await outcomeOf(longest)).toBe('file');
      expect(await outcomeOf(`${'y'.repeat(255)}/song`)).toBe('below');
      // the id is allowed, the name with its extension is none the system could hold
      expect(await outcomeOf('x'.repeat(252))).toBe('track_not_found');
      expect(await outcomeOf('x'.repeat(255))).toBe('track_not_found');
    });

    it('finds a name whose other form would be too long', async () => {
      const name = '\u00e9'.repeat(120); // 240 bytes, 360 decomposed
      await put(`${name}.mp3`, 'file');
      await put(`${name}/song.mp3`, 'below');
      expect(await outcomeOf(name)).toBe('file');
      expect(await outcomeOf(`${name}/song`)).toBe('below');
      expect(await outcomeOf(`${name}/other`)).toBe('track_not_found');
    });
  });

  describe('links', () => {
    beforeEach(async () => {
      await put('real.mp3', 'real');
      await put('folder/inner.mp3', 'inner');
      await mkdir(join(parent, 'media-leak/album'), { recursive: true });
      await writeFile(join(parent, 'secret.mp3'), FOREIGN);
      await writeFile(join(parent, 'media-leak/secret.mp3'), FOREIGN);
      await writeFile(join(parent, 'media-leak/album/secret.mp3'), FOREIGN);
    });

    it.each([
      ['to a file, relative', 'real.mp3', 'real'],
      ['to a file, absolute', '$root/real.mp3', 'real'],
      ['to a file below', 'folder/inner.mp3', 'inner'],
      ['out of the library and back', '../media/real.mp3', 'real'],
    ])('that stay inside are followed: %s', async (_what, target, expected) => {
      await symlink(target.replace('$root', root), join(root, 'linked.mp3'));
      expect(await outcomeOf('linked')).toBe(expected);
    });

    it('that stay inside are followed: to a folder', async () => {
      await symlink('folder', join(root, 'linked'));
      expect(await outcomeOf('linked/inner')).toBe('inner');
    });

    it('that stay inside are followed: by way of a link outside', async () => {
      await symlink(join(root, 'real.mp3'), join(parent, 'outside'));
      await symlink('../outside', join(root, 'linked.mp3'));
      expect(await outcomeOf('linked')).toBe('real');
    });

    it.each([
      ['a file, relative', 'linked.mp3', '../secret.mp3', 'linked'],
      ['a file, absolute', 'linked.mp3', '$parent/secret.mp3', 'linked'],
      ['a file of the system', 'linked.mp3', '/etc/passwd', 'linked'],
      ['a file of the kernel', 'linked.mp3', '/proc/self/environ', 'linked'],
      ['a folder', 'linked', '../media-leak', 'linked/secret'],
      ['the folder above', 'linked', '..', 'linked/secret'],
      ['a folder, deeper', 'linked', '..', 'linked/media-leak/album/secret'],
      ['a folder with the same beginning', 'linked.mp3', '../media-leak/secret.mp3', 'linked'],
      ['a device', 'linked.mp3', '/dev/zero', 'linked'],
      ['a device', 'linked.mp3', '/dev/null', 'linked'],
      ['a terminal', 'linked.mp3', '/dev/tty', 'linked'],
      ['nothing', 'linked.mp3', 'absent.mp3', 'linked'],
      ['nothing outside', 'linked.mp3', '../absent.mp3', 'linked'],
      ['itself', 'linked.mp3', 'linked.mp3', 'linked'],
      ['itself as a folder', 'linked', 'linked', 'linked/inner'],
      ['a folder instead of a file', 'linked.mp3', 'folder', 'linked'],
      ['a file instead of a folder', 'linked', 'real.mp3', 'linked/inner'],
    ])('to %s are unknown', async (_what, name, target, id) => {
      await symlink(target.replace('$parent', parent), join(root, name));
      expect(await outcomeOf(id)).toBe('track_not_found');
    });

    it('in a circle are unknown', async () => {
      await symlink('b.mp3', join(root, 'a.mp3'));
      await symlink('a.mp3', join(root, 'b.mp3'));
      expect(await outcomeOf('a')).toBe('track_not_found');
    });

    it('out of the library do not hide a track of the next extension', async () => {
      await symlink('../secret.mp3', join(root, 'song.flac'));
      await put('song.mp3', 'song');
      expect(await outcomeOf('song')).toBe('song');
    });

    it('of the hard kind are files like any other', async () => {
      await link(join(root, 'real.mp3'), join(root, 'hard.mp3'));
      expect(await outcomeOf('hard')).toBe('real');
    });
  });

  describe('what is no regular file', () => {
    it('is unknown: a folder with the name of a track', async () => {
      await mkdir(join(root, 'song.mp3'));
      expect(await outcomeOf('song')).toBe('track_not_found');
      await put('song.wma', 'song');
      expect(await outcomeOf('song')).toBe('song');
    });

    it('is unknown: a FIFO, at once', async () => {
      execFileSync('mkfifo', [join(root, 'song.mp3'), join(root, 'folder')]);
      expect(await outcomeOf('song')).toBe('track_not_found');
      expect(await outcomeOf('folder/song')).toBe('track_not_found');
    });

    it('is unknown: a socket', async () => {
      // the system takes no socket name of more than 107 bytes
      const listener = createServer().listen(relative(process.cwd(), join(root, 'song.mp3')));
      await once(listener, 'listening');
      expect(await outcomeOf('song')).toBe('track_not_found');
      listener.close();
      await once(listener, 'close');
    });

    it('leaves no handle open', async () => {
      execFileSync('mkfifo', [join(root, 'fifo.mp3')]);
      await mkdir(join(root, 'folder.mp3'));
      await symlink('/dev/zero', join(root, 'device.mp3'));
      await writeFile(join(parent, 'secret.mp3'), FOREIGN);
      await symlink('../secret.mp3', join(root, 'out.mp3'));
      const before = countHandles();
      for (const id of ['fifo', 'folder', 'device', 'out', 'absent']) {
        for (let i = 0; i < 20; i += 1) expect(await outcomeOf(id)).toBe('track_not_found');
      }
      expect(countHandles()).toBe(before);
    });
  });

  describe('what may not be read', () => {
    it('is unavailable, not unknown: a file', async () => {
      await chmod(parent, 0o755);
      await chmod(root, 0o755);
      await chmod(await put('song.mp3'), 0);
      expect(await asOrdinaryUser(() => outcomeOf('song'))).toBe('track_unavailable');
    });

    it('is unavailable, not unknown: a folder', async () => {
      await chmod(parent, 0o755);
      await chmod(root, 0o755);
      await put('folder/song.mp3');
      await chmod(join(root, 'folder'), 0);
      expect(await asOrdinaryUser(() => outcomeOf('folder/song'))).toBe('track_unavailable');
      await chmod(join(root, 'folder'), 0o755);
    });

    it('is told to the operator, not to the client', async () => {
      await chmod(parent, 0o755);
      await chmod(root, 0o755);
      await chmod(await put('song.mp3'), 0);
      const failure = (await asOrdinaryUser(() =>
        store.open('song').catch((error: unknown) => error),
      )) as AppError;
      expect(failure.message).not.toMatch(/song|media|EACCES|\//);
      expect(failure.cause).toMatchObject({ code: 'EACCES' });
    });
  });

  describe('the library', () => {
    it('is unavailable while it is missing, and works once it appears', async () => {
      await rm(root, { recursive: true });
      for (const id of ['song', 'Artist/song', 'Beyonc\u00e9/song', '../secret', '']) {
        expect(await outcomeOf(id)).toBe('library_unavailable');
      }
      await put('song.mp3', 'song');
      expect(await outcomeOf('song')).toBe('song');
      expect(await outcomeOf('absent')).toBe('track_not_found');
      await rm(root, { recursive: true });
      expect(await outcomeOf('song')).toBe('library_unavailable');
      await put('song.mp3', 'again');
      expect(await outcomeOf('song')).toBe('again');
    });

    it('is unavailable when it is no folder', async () => {
      await rm(root, { recursive: true });
      await writeFile(root, 'a file');
      expect(await outcomeOf('song')).toBe('library_unavailable');
    });

    it('may be empty', async () => {
      expect(await outcomeOf('song')).toBe('track_not_found');
    });

    it('may be a link', async () => {
      await put('song.mp3', 'song');
      await symlink(root, join(parent, 'library'));
      const linked = createLocalStore(join(parent, 'library'));
      expect(await outcomeOf('song', linked)).toBe('song');
    });

    it('may be linked anew', async () => {
      await mkdir(join(parent, 'v1'));
      await mkdir(join(parent, 'v2'));
      await writeFile(join(parent, 'v1/song.mp3'), 'one');
      await writeFile(join(parent, 'v2/song.mp3'), 'two');
      await symlink('v1', join(parent, 'library'));
      const linked = createLocalStore(join(parent, 'library'));
      expect(await outcomeOf('song', linked)).toBe('one');
      await symlink('v2', join(parent, 'next'));
      await rename(join(parent, 'next'), join(parent, 'library'));
      expect(await outcomeOf('song', linked)).toBe('two');
    });

    it('does not reach into the folder that it was before it was linked anew', async () => {
      await mkdir(join(parent, 'v1'));
      await mkdir(join(parent, 'v2'));
      await writeFile(join(parent, 'v1/song.mp3'), 'one');
      await symlink('../v1/song.mp3', join(parent, 'v2/song.mp3'));
      await symlink('v1', join(parent, 'library'));
      const linked = createLocalStore(join(parent, 'library'));
      expect(await outcomeOf('song', linked)).toBe('one');
      await symlink('v2', join(parent, 'next'));
      await rename(join(parent, 'next'), join(parent, 'library'));
      expect(await outcomeOf('song', linked)).toBe('track_not_found');
    });

    it.each([
      ['with a slash at its end', (path: string) => `${path}/`],
      ['relative', (path: string) => relative(process.cwd(), path)],
      ['with dots in it', (path: string) => `${path}/../media/.`],
    ])('may be named %s', async (_how, spell) => {
      await put('Artist/song.mp3', 'song');
      await writeFile(join(parent, 'secret.mp3'), FOREIGN);
      await symlink('../secret.mp3', join(root, 'out.mp3'));
      const named = createLocalStore(spell(root));
      expect(await outcomeOf('Artist/song', named)).toBe('song');
      expect(await outcomeOf('out', named)).toBe('track_not_found');
    });

    it('may have a name with characters of its own', async () => {
      const odd = join(parent, 'My Müsic (deleted) $1');
      await mkdir(odd);
      await writeFile(join(odd, 'song.mp3'), 'song');
      expect(await outcomeOf('song', createLocalStore(odd))).toBe('song');
    });

    it('is found again after it vanished at any moment of an opening', async () => {
      await put('song.mp3', 'song');
      const away = join(parent, 'away');
      const swapping = (async () => {
        for (let i = 0; i < 500; i += 1) {
          await rename(root, away);
          await rename(away, root);
        }
      })();
      const swaps = { areOver: false };
      void swapping.finally(() => (swaps.areOver = true));
      const stores: TrackStore[] = [];
      while (!swaps.areOver) {
        const fresh = createLocalStore(root);
        const early = await outcomeOf('song', fresh);
        expect(['song', 'track_not_found', 'library_unavailable', 'track_unavailable']).toContain(
          early,
        );
        stores.push(fresh);
      }
      await swapping;
      const outcomes = await Promise.all(stores.map((from) => outcomeOf('song', from)));
      expect(new Set(outcomes)).toEqual(new Set(['song']));
    });

    it('shows what appears, changes and vanishes', async () => {
      expect(await outcomeOf('song')).toBe('track_not_found');
      const path = await put('song.mp3', 'one');
      expect(await outcomeOf('song')).toBe('one');
      await writeFile(path, 'two!');
      expect(await outcomeOf('song')).toBe('two!');
      await unlink(path);
      expect(await outcomeOf('song')).toBe('track_not_found');
    });
  });

  describe('a file that changes while it is open', () => {
    const oldBytes = patternedBytes(1_000_000);

    it('gives its old bytes whole when another takes its place', async () => {
      const path = await put('song.mp3', oldBytes);
      const track = await open('song');
      await writeFile(join(root, 'next'), Buffer.alloc(2_000_000, 1));
      await rename(join(root, 'next'), path);
      expect(track.sizeBytes).toBe(oldBytes.length);
      expect((await wholeOf(track)).equals(oldBytes)).toBe(true);
      expect((await open('song')).sizeBytes).toBe(2_000_000);
    });

    it('gives its old bytes whole when it is deleted', async () => {
      const path = await put('song.mp3', oldBytes);
      const track = await open('song');
      await unlink(path);
      expect((await wholeOf(track)).equals(oldBytes)).toBe(true);
    });

    it('gives fewer bytes when it is cut before they are read', async () => {
      const path = await put('song.mp3', oldBytes);
      const track = await open('song');
      await truncate(path, 1_234);
      expect(track.sizeBytes).toBe(oldBytes.length);
      expect((await wholeOf(track)).equals(oldBytes.subarray(0, 1_234))).toBe(true);
      expect(await buffer(track.read({ firstPos: 5_000, lastPos: 6_000 }))).toHaveLength(0);
    });

    it('gives fewer bytes when it is cut while they are read', async () => {
      const path = await put('song.mp3', oldBytes);
      const track = await open('song');
      const stream = track.read({ firstPos: 0, lastPos: track.sizeBytes - 1 });
      const received: Buffer[] = [];
      for await (const chunk of stream) {
        received.push(chunk as Buffer);
        if (received.length === 1) await truncate(path, 1);
      }
      const bytes = Buffer.concat(received);
      expect(bytes.length).toBeLessThan(oldBytes.length);
      expect(bytes.equals(oldBytes.subarray(0, bytes.length))).toBe(true);
    });

    it('gives no more bytes than it had when it grows', async () => {
      const path = await put('song.mp3', oldBytes);
      const track = await open('song');
      await writeFile(path, Buffer.alloc(1_000), { flag: 'a' });
      expect((await wholeOf(track)).equals(oldBytes)).toBe(true);
    });
  });

  it('reads at the far end of a file beyond 4 GiB', async () => {
    const sizeBytes = 5 * 1024 ** 3 + 12_345;
    const tail = patternedBytes(1_000, sizeBytes - 1_000);
    const file = await openFile(join(root, 'long.wav'), 'w');
    await file.write(tail, 0, tail.length, sizeBytes - tail.length);
    await file.close();

    const track = await open('long');
    expect(track.sizeBytes).toBe(sizeBytes);
    const read = (firstPos: number, lastPos: number): Promise<Buffer> =>
      buffer(track.read({ firstPos, lastPos }));
    expect((await read(sizeBytes - 1_000, sizeBytes - 1)).equals(tail)).toBe(true);
    expect((await read(sizeBytes - 1, sizeBytes - 1)).equals(tail.subarray(-1))).toBe(true);
    const across = await read(2 ** 32 - 10, 2 ** 32 + 10);
    expect(across.equals(Buffer.alloc(21))).toBe(true);
    expect(
      (await read(sizeBytes - 1_010, sizeBytes - 991)).equals(
        Buffer.concat([Buffer.alloc(10), tail.subarray(0, 10)]),
      ),
    ).toBe(true);
  });

  it('tells the time of modification to the nanosecond', async () => {
    const path = await put('song.mp3');
    execFileSync('touch', ['-d', '2024-03-01T12:00:00.123456789Z', path]);
    expect((await open('song')).mtimeNs).toBe(1_709_294_400_123_456_789n);
  });

  describe('handles', () => {
    it('are all closed after 1,000 openings, however they end', async () => {
      const sizeBytes = 300_000;
      await put('song.mp3', patternedBytes(sizeBytes));
      const whole = { firstPos: 0, lastPos: sizeBytes - 1 };
      const stages: ((track: OpenedTrack) => Promise<void>)[] = [
        (track) => track.close(),
        async (track) => {
          await wholeOf(track);
          await track.close();
        },
        async (track) => {
          const controller = new AbortController();
          const stream = track.read(whole, controller.signal).on('error', () => undefined);
          controller.abort();
          // once() would reject with the error that comes before
          await new Promise((resolve) => stream.once('close', resolve));
          await track.close();
        },
        async (track) => {
          const controller = new AbortController();
          const stream = track.read(whole, controller.signal).on('error', () => undefined);
          await once(stream, 'data');
          controller.abort();
          await track.close();
        },
        async (track) => {
          track.read(whole).destroy();
          await track.close();
        },
        async (track) => {
          track.read(whole).resume();
          track.read(whole).pause();
          await track.close();
        },
        async (track) => {
          const stream = track.read(whole);
          await once(stream, 'readable');
          await Promise.all([track.close(), track.close()]);
          expect(stream.destroyed).toBe(true);
        },
      ];
      const before = countHandles();
      let openings = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom(...stages), { minLength: 50, maxLength: 50 }),
          async (chosen) => {
            openings += chosen.length;
            await Promise.all(chosen.map(async (stage) => stage(await store.open('song'))));
            expect(countHandles()).toBe(before);
          },
        ),
        { numRuns: 20 },
      );
      expect(openings).toBeGreaterThanOrEqual(1_000);
    });

    it('that are closed are not read: another file may have the number by then', async () => {
      await put('song.mp3', patternedBytes(300_000));
      const track = await store.open('song');
      const stream = track.read({ firstPos: 0, lastPos: 299_999 });
      await track.close();
      expect(stream.destroyed).toBe(true);
      expect(() => track.read({ firstPos: 0, lastPos: 0 })).toThrow();
    });
  });

  it('never hands out foreign bytes while a track and a link change places (B16)', async () => {
    await writeFile(join(parent, 'secret.mp3'), FOREIGN);
    await mkdir(join(parent, 'secrets'));
    await writeFile(join(parent, 'secrets/song.mp3'), FOREIGN);
    await put('swapped.mp3', 'ours');
    await put('folder/song.mp3', 'ours');

    const place = async (make: (path: string) => Promise<unknown>, path: string): Promise<void> => {
      await make(join(root, 'next'));
      await rename(join(root, 'next'), path);
    };
    const swaps = { areOver: false };
    const swapping = (async () => {
      const song = join(root, 'swapped.mp3');
      const folder = join(root, 'folder');
      for (let i = 0; i < 1_000; i += 1) {
        await place((path) => symlink('../secret.mp3', path), song);
        await rename(folder, join(root, 'aside'));
        await symlink('../secrets', folder);
        await place((path) => writeFile(path, 'ours'), song);
        await unlink(folder);
        await rename(join(root, 'aside'), folder);
      }
    })().finally(() => (swaps.areOver = true));

    const seen = new Map<string, number>();
    while (!swaps.areOver) {
      for (const id of ['swapped', 'folder/song']) {
        const track = await store.open(id).catch((error: unknown) => error as AppError);
        const outcome = 'code' in track ? track.code : (await wholeOf(track)).toString();
        if (!('code' in track)) await track.close();
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }
    }
    await swapping;
    expect([...seen.keys()].sort()).toEqual(['ours', 'track_not_found']);
  });
});
