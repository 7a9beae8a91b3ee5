import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const script = join(__dirname, '../../../.ci/install-tools');
const all = ['redis-server', 'ffmpeg', 'curl', 'wget', 'aria2c', 'chromium', 'firefox-esr'];

describe('.ci/install-tools', () => {
  let workDir: string;

  beforeEach(() => {
    workDir = mkdtempSync(join(tmpdir(), 'install-tools-'));
    mkdirSync(join(workDir, 'bin'));
  });

  afterEach(() => {
    rmSync(workDir, { recursive: true });
  });

  /** Runs the script where nothing exists but these commands, which only note their call. */
  function run(
    commands: readonly string[],
    uid = 0,
  ): { status: number | null; stderr: string; calls: string } {
    const callsFile = join(workDir, 'calls');
    writeFileSync(callsFile, '');
    const note = `#!/bin/sh\necho "\${0##*/} $*" >> '${callsFile}'\n`;
    const bodies: Record<string, string> = {
      id: `#!/bin/sh\necho ${uid}\n`,
      sudo: `${note}"$@"\n`,
      env: `${note}shift\n"$@"\n`,
    };
    for (const command of ['id', 'env', ...commands]) {
      writeFileSync(join(workDir, 'bin', command), bodies[command] ?? note, { mode: 0o755 });
    }
    const { status, stderr } = spawnSync('/bin/sh', [script], {
      env: { PATH: join(workDir, 'bin') },
      encoding: 'utf8',
    });
    return { status, stderr, calls: readFileSync(callsFile, 'utf8') };
  }

  it('does nothing when everything is there', () => {
    expect(run([...all, 'apt-get', 'sudo'])).toEqual({ status: 0, stderr: '', calls: '' });
  });

  it('installs what is missing and no more', () => {
    const { status, calls } = run(['ffmpeg', 'curl', 'apt-get']);
    expect(status).toBe(0);
    expect(calls).toContain('apt-get update');
    expect(calls).toMatch(/^apt-get install .* redis-server wget aria2 chromium firefox-esr$/m);
  });

  it('asks sudo when it is not root', () => {
    const { status, calls } = run([...all.slice(1), 'apt-get', 'sudo'], 1000);
    expect(status).toBe(0);
    expect(calls).toContain('sudo apt-get update');
    expect(calls).toMatch(/^sudo env .*apt-get install .* redis-server$/m);
  });

  it.each([
    ['there is no apt-get', ['curl', 'wget'], 0],
    ['it is neither root nor has sudo', ['curl', 'wget', 'apt-get'], 1000],
  ])('names what to install and fails where %s', (_, commands, uid) => {
    const { status, stderr, calls } = run(commands, uid);
    expect(status).toBe(1);
    expect(stderr).toMatch(/redis-server ffmpeg aria2 chromium firefox-esr$/m);
    expect(calls).toBe('');
  });
});
