import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import {
  createIgnore,
  execForm,
  lastOf,
  parseDockerfile,
  type Stage,
} from '../../support/dockerfile';

const root = join(__dirname, '../../..');
const stages = parseDockerfile(join(root, 'Dockerfile'));
const runtime = stages.at(-1)!;

function runsOf(stage: Stage | undefined): string[] {
  return stage?.instructions.filter((i) => i.keyword === 'RUN').map((i) => i.args) ?? [];
}

describe('Dockerfile', () => {
  it('compiles in one stage, installs in another and runs in a third', () => {
    expect(stages.map(({ name }) => name)).toEqual(['build', 'dependencies', 'runtime']);
    expect(runsOf(stages[0])).toContain('npm run build');
  });

  it('is built on the slim image of Node 24 throughout', () => {
    for (const { from } of stages) {
      expect(from).toMatch(/^node:24(\.\d+)*-([a-z]+-)?slim$/);
    }
  });

  it('takes nothing from the build context into the runtime stage directly', () => {
    const copies = runtime.instructions.filter(
      ({ keyword }) => keyword === 'COPY' || keyword === 'ADD',
    );
    expect(copies.map(({ args }) => args)).toEqual([
      '--from=dependencies /app/node_modules ./node_modules',
      '--from=build /app/package.json ./',
      '--from=build /app/dist ./dist',
      '--from=build /app/samples ./samples',
    ]);
  });

  it('installs production dependencies only, and runs no install script', () => {
    expect(runsOf(stages[1])).toEqual(['npm ci --omit=dev --ignore-scripts']);
    const installs = stages.flatMap(runsOf).filter((run) => /npm (ci|install|i)\b/.test(run));
    expect(installs.filter((run) => !run.includes('--ignore-scripts'))).toEqual([]);
  });

  it('has ffmpeg from the distribution and leaves no package lists behind', () => {
    const [apt = ''] = runsOf(runtime);
    expect(apt).toMatch(/apt-get install -y --no-install-recommends ffmpeg /);
    expect(apt).toMatch(/rm -rf \/var\/lib\/apt\/lists\/\*$/);
  });

  it('runs as the user with number 1000, and as root only before that', () => {
    expect(lastOf(runtime, 'USER')).toBe('1000:1000');
    const after = runtime.instructions.slice(
      runtime.instructions.findIndex(({ keyword }) => keyword === 'USER') + 1,
    );
    expect(after.map(({ keyword }) => keyword)).toEqual([
      'EXPOSE',
      'HEALTHCHECK',
      'STOPSIGNAL',
      'CMD',
    ]);
  });

  it('starts Node as process 1, which is sent SIGTERM', () => {
    expect(execForm(lastOf(runtime, 'CMD'))).toEqual(['node', 'dist/index.js']);
    expect(lastOf(runtime, 'ENTRYPOINT')).toBe('');
    expect(lastOf(runtime, 'STOPSIGNAL')).toBe('SIGTERM');
  });

  it('asks /health without a shell and without curl, on the port that is set', () => {
    const [options = '', command = ''] = lastOf(runtime, 'HEALTHCHECK').split(/\s*CMD\s+/);
    expect(options).toMatch(/--timeout=\d+s/);
    const [program, flag, script] = execForm(command) ?? [];
    expect([program, flag]).toEqual(['node', '-e']);
    expect(script).toContain('http://127.0.0.1:${process.env.PORT || 3005}/health');
  });

  it('says production, port 3005 and where the library is mounted', () => {
    expect(lastOf(runtime, 'ENV')).toBe('NODE_ENV=production');
    expect(lastOf(runtime, 'EXPOSE')).toBe('3005');
    expect(lastOf(runtime, 'WORKDIR')).toBe('/app');
    expect(runsOf(runtime)).toContain('mkdir -p uploads/audio');
  });

  it('carries no secret: neither as a variable nor as an argument', () => {
    const named = stages
      .flatMap(({ instructions }) => instructions)
      .filter(({ keyword }) => keyword === 'ENV' || keyword === 'ARG');
    expect(named.filter(({ args }) => /secret|token|password/i.test(args))).toEqual([]);
  });
});

describe('.dockerignore', () => {
  const isIgnored = createIgnore(readFileSync(join(root, '.dockerignore'), 'utf8'));

  it.each([
    'package.json',
    'package-lock.json',
    '.npmrc',
    'tsconfig.json',
    'src/index.ts',
    'samples/first-light.mp3',
    'samples/Glass Harbour/Night Ferry/01 Leaving Port.flac',
  ])('lets %s into the build', (path) => {
    expect(isIgnored(path)).toBe(false);
  });

  it.each([
    '.env',
    'src/.env.local',
    '.git/config',
    'node_modules/express/index.js',
    'dist/index.js',
    'uploads/audio/song.mp3',
    'k8s/secret.yaml',
    'tests/tsconfig.json',
    'samples/make-samples.ts',
    'samples/README.md',
    'samples/tsconfig.json',
    'id_rsa',
  ])('keeps %s out of it', (path) => {
    expect(isIgnored(path)).toBe(true);
  });
});
