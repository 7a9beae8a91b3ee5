import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createLocalStore } from '../../src/storage/local-store';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

afterAll(removeTempFolders);

/** @returns what is beside a track of a folder with these files, each of which holds its name */
async function openBeside(
  names: readonly string[],
  wanted: readonly string[],
  prepare: (folder: string) => Promise<void> = () => Promise.resolve(),
): Promise<string | undefined> {
  const root = createTempFolder();
  const folder = join(root, 'album');
  await mkdir(folder);
  for (const name of ['track.mp3', ...names]) await writeFile(join(folder, name), name);
  await prepare(folder);
  const track = await createLocalStore(root).open('album/track');
  const file = await track.openBeside?.(wanted);
  try {
    return file && (await text(file.read({ firstPos: 0, lastPos: file.sizeBytes - 1 })));
  } finally {
    await file?.close();
    await track.close();
  }
}

describe('openBeside()', () => {
  it.each([
    ['the most wanted', ['b.png', 'a.png', 'c.png'], ['a.png', 'b.png'], 'a.png'],
    ['any case', ['CoVeR.Jpg'], ['cover.jpg'], 'CoVeR.Jpg'],
    ['the same of two spellings, always', ['cover.JPG', 'COVER.jpg'], ['cover.jpg'], 'COVER.jpg'],
    ['nothing else', ['cover.jpg.txt', 'xcover.jpg'], ['cover.jpg'], undefined],
  ])('opens %s', async (_what, names, wanted, expected) => {
    expect(await openBeside(names, wanted)).toBe(expected);
  });

  it('goes on to the next name where one cannot be opened', async () => {
    const found = await openBeside(['b.png'], ['a.png', 'b.png'], (folder) =>
      mkdir(join(folder, 'a.png')),
    );
    expect(found).toBe('b.png');
  });

  it('looks at no folder of thousands', async () => {
    const found = await openBeside(['cover.jpg'], ['cover.jpg'], async (folder) => {
      for (let i = 0; i < 5_000; i += 1) await writeFile(join(folder, `${i}`), '');
    });
    expect(found).toBeUndefined();
  });

  it('finds nothing in a folder that cannot be listed', async () => {
    const isRoot = process.getuid?.() === 0;
    let folder = '';
    const found = await openBeside(['cover.jpg'], ['cover.jpg'], (album) => {
      folder = album;
      return chmod(folder, 0o111);
    });
    await chmod(folder, 0o755);
    expect(found).toBe(isRoot ? 'cover.jpg' : undefined);
  });
});
