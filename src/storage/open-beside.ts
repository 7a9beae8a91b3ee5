import { opendir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type OpenedTrack } from './track-store';

/** A folder of more is no album's, and what lies in it is about no track in particular. */
const MOST_ENTRIES = 5_000;

/**
 * Opens the first of some names, in any case, in the folder of a track.
 *
 * The folder is listed: an album's has some dozen entries, and the ways to write the names are more.
 *
 * @param names in lower case
 * @param openFile decides what may be opened; undefined for what may not
 */
export async function openBeside(
  trackPath: string,
  names: readonly string[],
  openFile: (path: string) => Promise<OpenedTrack | undefined>,
): Promise<OpenedTrack | undefined> {
  const folder = dirname(trackPath);
  const present = await listNames(folder, new Set(names));
  for (const name of names) {
    for (const spelled of present.get(name) ?? []) {
      // one that cannot be read is as good as none
      const file = await openFile(join(folder, spelled)).catch(() => undefined);
      if (file) return file;
    }
  }
  return undefined;
}

/** As they are spelled, by lower case, in an order that does not depend on the file system. */
async function listNames(
  folder: string,
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>();
  let count = 0;
  try {
    for await (const { name } of await opendir(folder, { bufferSize: 256 })) {
      count += 1;
      if (count > MOST_ENTRIES) return new Map();
      const lower = name.toLowerCase();
      if (wanted.has(lower)) found.set(lower, [...(found.get(lower) ?? []), name].sort());
    }
  } catch {
    // a folder that may be passed but not listed, or one that has gone: nothing beside the track
    return new Map();
  }
  return found;
}
