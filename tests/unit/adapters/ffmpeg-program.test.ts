import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findFfmpeg } from '../../../src/adapters/ffmpeg/program';
import { childrenOf, writeFakeFfmpeg } from '../../support/fake-ffmpeg';
import { createTempFolder, removeTempFolders } from '../../support/temp-folder';
import { until } from '../../support/until';

afterAll(removeTempFolders);

const LEGEND = `Encoders:
 V..... = Video
 A..... = Audio
 S..... = Subtitle
 .F.... = Frame-level multithreading
 ------
`;

/** As they name themselves. */
const ABOUT = {
  '4.1':
    'ffmpeg version N-47683-g0e8eb07980-static https://johnvansickle.com/ffmpeg/  Copyright (c) 2000-2018 the FFmpeg developers\nbuilt with gcc 6.3.0\n',
  '5.1':
    'ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026 the FFmpeg developers\nbuilt with gcc 12 (Debian 12.2.0-14)\n',
  '7.1': 'ffmpeg version 7.1.1-1ubuntu1 Copyright (c) 2000-2025 the FFmpeg developers\n',
};

function writeProgram(folder: string, about: string, encoders: string, name = 'ffmpeg'): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  const script = `#!/bin/sh
case "$*" in
*-version*) cat <<'TEXT'
${about}
TEXT
;;
*-encoders*) cat <<'TEXT'
${encoders}
TEXT
;;
esac
`;
  writeFileSync(path, script, { mode: 0o755 });
  return path;
}

describe('findFfmpeg()', () => {
  it.each([
    ['4.1', 'N-47683-g0e8eb07980-static'],
    ['5.1', '5.1.9-0+deb12u1'],
    ['7.1', '7.1.1-1ubuntu1'],
  ] as const)('reads what version %s says of itself', async (about, version) => {
    const list = `${LEGEND} V....D libx264              libx264 H.264 (codec h264)
 A....D aac                  AAC (Advanced Audio Coding)
 A....D libmp3lame           libmp3lame MP3 (MPEG audio layer 3) (codec mp3)
 A..X.D opus                 Opus
 S..... ass                  ASS subtitle`;
    const path = writeProgram(createTempFolder(), ABOUT[about], list);
    const program = await findFfmpeg(path);
    expect(program).toMatchObject({ path, version });
    expect([...program!.encoders].sort()).toEqual(['aac', 'libmp3lame', 'opus']);
  });

  it('takes the first on PATH that may be executed', async () => {
    const folder = createTempFolder();
    mkdirSync(join(folder, 'a'));
    writeFileSync(join(folder, 'a', 'ffmpeg'), 'no program');
    const path = writeProgram(join(folder, 'b'), ABOUT['5.1'], LEGEND);
    writeProgram(join(folder, 'c'), ABOUT['7.1'], LEGEND);
    const searchPath = ['a', 'b', 'c', ''].map((name) => name && join(folder, name)).join(':');
    expect(await findFfmpeg(undefined, { searchPath })).toMatchObject({ path, containment: [] });
  });

  it('tries no other than the one that is configured', async () => {
    expect(await findFfmpeg(join(createTempFolder(), 'nothing'))).toBeUndefined();
  });

  it.each([
    ['says something else', 'echo hello'],
    ['fails', 'exit 1'],
  ])('knows one for none that %s', async (_what, body) => {
    const path = join(createTempFolder(), 'ffmpeg');
    writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    expect(await findFfmpeg(path)).toBeUndefined();
  });

  it('waits for one that hangs no longer than it is told to, and leaves nothing of it', async () => {
    const path = join(createTempFolder(), 'ffmpeg');
    writeFileSync(path, `#!/bin/sh\ntrap '' TERM\nexec sleep 1000\n`, { mode: 0o755 });
    const startedAt = performance.now();
    expect(await findFfmpeg(path, { timeoutMs: 300 })).toBeUndefined();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    const children = () =>
      childrenOf(process.pid).filter(({ command }) => command.includes('sleep'));
    await until(() => children().length === 0, 'it is gone');
  });

  it('tells it no secret of ours', async () => {
    process.env.JWT_SECRET = 'a secret of ours';
    const path = join(createTempFolder(), 'ffmpeg');
    const script = '#!/bin/sh\necho "ffmpeg version ${JWT_SECRET:-unknown}"\n';
    writeFileSync(path, script, { mode: 0o755 });
    const program = await findFfmpeg(path);
    delete process.env.JWT_SECRET;
    expect(program?.version).toBe('unknown');
  });

  it('goes without bounds where the system forbids them', async () => {
    const folder = createTempFolder();
    const path = writeFakeFfmpeg(folder, '');
    for (const name of ['setpriv', 'prlimit']) {
      writeFileSync(join(folder, name), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    }
    const program = await findFfmpeg(path, { searchPath: folder });
    expect(program).toMatchObject({ path, containment: [] });
  });

  it('puts setpriv and prlimit in front where they are', async () => {
    const program = await findFfmpeg(writeFakeFfmpeg(createTempFolder(), ''));
    expect(program?.containment.map((part) => part.replace(/^.*\//, ''))).toEqual([
      ...['setpriv', '--pdeathsig', 'KILL'],
      ...['prlimit', '--as=2147483648', '--cpu=21600', '--nofile=64', '--core=0', '--fsize=0'],
    ]);
  });

  it('falls back to the one that @ffmpeg-installer brings', async () => {
    const program = await findFfmpeg(undefined, { searchPath: '' });
    expect(program?.path).toContain('@ffmpeg-installer');
    expect(program?.encoders.has('libmp3lame')).toBe(true);
  });
});
