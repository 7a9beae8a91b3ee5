import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';

interface Probe {
  readonly format: { readonly duration: string; readonly tags?: Readonly<Record<string, string>> };
  readonly streams: readonly {
    readonly codec_type: string;
    readonly tags?: Readonly<Record<string, string>>;
    readonly disposition: Readonly<Record<string, number>>;
  }[];
}

const folder = join(__dirname, '../../../samples');
const tracks = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((path) => statSync(join(folder, path)).isFile() && !/\.(ts|md|json)$/.test(path))
  .map((path) => path.normalize('NFC'))
  .sort();

function probe(track: string): Probe {
  const options = ['-v', 'error', '-of', 'json', '-show_format', '-show_streams'];
  const { stdout } = spawnSync('ffprobe', [...options, join(folder, track)], { encoding: 'utf8' });
  return JSON.parse(stdout) as Probe;
}

/** Tags with lower-case names; Ogg keeps them with the stream, the others with the file. */
function tagsOf({ format, streams }: Probe): Map<string, string> {
  const audio = streams.find((stream) => stream.codec_type === 'audio');
  return new Map(
    Object.entries({ ...audio?.tags, ...format.tags }).map(([name, value]) => [
      name.toLowerCase(),
      value,
    ]),
  );
}

describe('samples', () => {
  it('are six tracks or more, under 3 MB together', () => {
    const sizes = tracks.map((track) => statSync(join(folder, track)).size);
    expect(tracks.length).toBeGreaterThanOrEqual(6);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(3_000_000);
  });

  it('are in different formats', () => {
    expect(tracks.map((track) => extname(track)).sort()).toEqual([
      '.aac',
      '.flac',
      '.m4a',
      '.mp3',
      '.ogg',
      '.opus',
      '.wav',
      '.webm',
    ]);
  });

  it('have a plain first one, one in nested folders and one with a non-Latin name', () => {
    expect(tracks).toContain('first-light.mp3');
    expect(tracks).toContain('Glass Harbour/Night Ferry/01 Leaving Port.flac');
    expect(tracks.filter((track) => /\p{Script=Han}/u.test(track))).toEqual(['夜明けの鈴.ogg']);
    expect(tracks.filter((track) => /\p{Script=Cyrillic}/u.test(track))).toEqual([
      'Тихий вечер.aac',
    ]);
  });

  it('have a cover on the album', () => {
    const covered = tracks.filter((track) =>
      probe(track).streams.some(({ disposition }) => disposition.attached_pic === 1),
    );
    expect(covered).toEqual([
      'Glass Harbour/Night Ferry/01 Leaving Port.flac',
      'Glass Harbour/Night Ferry/02 Slow Water.m4a',
    ]);
  });

  it.each(tracks)('%s lasts 3 to 20 s and has its tags', (track) => {
    const found = probe(track);
    expect(Number(found.format.duration)).toBeGreaterThanOrEqual(3);
    expect(Number(found.format.duration)).toBeLessThanOrEqual(20);

    // RIFF INFO has no field for the album's artist
    const albumArtist = extname(track) === '.wav' ? [] : ['album_artist'];
    const names = ['title', 'artist', 'album', 'date', 'genre', 'track', ...albumArtist];
    const tags = tagsOf(found);
    expect(names.filter((name) => (tags.get(name) ?? '') === '')).toEqual([]);
    if (/\P{ASCII}/u.test(track)) {
      expect(track.startsWith(tags.get('title')!)).toBe(true);
    }
  });

  it.each(tracks)('%s decodes to its end without a complaint', (track) => {
    const args = [
      '-nostdin',
      '-v',
      'error',
      '-xerror',
      '-i',
      join(folder, track),
      '-f',
      'null',
      '-',
    ];
    const { status, stderr } = spawnSync('ffmpeg', args, { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
