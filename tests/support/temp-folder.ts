import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders = new Set<string>();

export function createTempFolder(): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'tuneton-test-'));
  folders.add(folder);
  return folder;
}

/** Removes every folder that this test file has made. */
export function removeTempFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}
