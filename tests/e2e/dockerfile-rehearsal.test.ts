import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import {
  createIgnore,
  execForm,
  type Instruction,
  lastOf,
  parseDockerfile,
} from '../support/dockerfile';

const root = join(__dirname, '../..');
const stages = parseDockerfile(join(root, 'Dockerfile'));
const runtime = stages.at(-1)!;

/** Nobody's, and not the one of the image: what works for it works for any user. */
const otherUser = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/**
 * Carries out the instructions of the Dockerfile in folders, one for each stage, where there is no
 * Docker: what is missing in an image then is missing here too. Two things differ: packages of the
 * distribution are not installed, and the build stage borrows this clone's node_modules.
 */
describe('the Dockerfile, rehearsed', () => {
  let workDir: string;
  let appDir: string;
  let umask: number;
  const running = new Set<ChildProcess>();

  beforeAll(() => {
    umask = process.umask(0o022);
    workDir = mkdtempSync(join(tmpdir(), 'rehearsal-'));
    chmodSync(workDir, 0o755);
    copyContext();
    for (const { name, instructions } of stages) {
      const stageDir = join(workDir, name, 'app');
      mkdirSync(stageDir, { recursive: true });
      instructions.forEach((instruction) => {
        carryOut(instruction, stageDir);
      });
    }
    appDir = join(workDir, runtime.name, 'app');
    execFileSync('chmod', ['-R', 'a-w', appDir]);
    // a Node that every user may run, as in the image; this one may be in somebody's home
    copyFileSync(process.execPath, join(workDir, 'node'));
    chmodSync(join(workDir, 'node'), 0o755);
  }, 240_000);

  afterEach(async () => {
    for (const child of running) {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  });

  afterAll(() => {
    process.umask(umask);
    execFileSync('chmod', ['-R', 'u+w', workDir]);
    rmSync(workDir, { recursive: true });
  });

  /** What `docker build` is sent, as a clone made under umask 077 has it. */
  function copyContext(): void {
    const context = join(workDir, 'context');
    const isIgnored = createIgnore(readFileSync(join(root, '.dockerignore'), 'utf8'));
    cpSync(root, context, {
      recursive: true,
      filter: (source) => source === root || !isIgnored(relative(root, source)),
    });
    execFileSync('chmod', ['-R', 'go-rwx', context]);
  }

  function carryOut({ keyword, args }: Instruction, stageDir: string): void {
    if (keyword === 'COPY') {
      copy(args.split(/\s+/), stageDir);
    } else if (keyword === 'RUN' && args === 'npm ci --ignore-scripts') {
      symlinkSync(join(root, 'node_modules'), join(stageDir, 'node_modules'));
    } else if (keyword === 'RUN' && !args.startsWith('apt-get')) {
      const env = { ...process.env, npm_config_prefer_offline: 'true', npm_config_audit: 'false' };
      const options = { cwd: stageDir, env, encoding: 'utf8' } as const;
      const { status, stdout, stderr } = spawnSync('sh', ['-ec', args], options);
      if (status !== 0) {
        throw new Error(`RUN ${args}\n${stdout}${stderr}`);
      }
    }
  }

  /** COPY [--from=stage] source... destination: of a folder its content, of a file the file. */
  function copy(words: readonly string[], stageDir: string): void {
    const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
    const paths = words.filter((word) => !word.startsWith('--'));
    const destination = paths.at(-1)!;
    for (const path of paths.slice(0, -1)) {
      const source = join(workDir, from ?? 'context', path);
      const isFolder = statSync(source).isDirectory();
      const target = destination.endsWith('/') ? join(destination, basename(path)) : destination;
      execFileSync('cp', ['-a', isFolder ? `${source}/.` : source, join(stageDir, target)]);
    }
  }

  async function start(
    command: readonly string[],
    variables: Readonly<Record<string, string>>,
  ): Promise<{ child: ChildProcess; origin: string; output: () => string }> {
    const port = await freePort();
    const [image = ''] = lastOf(runtime, 'ENV').split(/\s+/);
    const [name = '', value = ''] = image.split('=');
    const child = spawn(join(workDir, 'node'), command.slice(1), {
      cwd: appDir,
      env: { [name]: value, HOST: '127.0.0.1', PORT: `${port}`, REDIS_URL: '', ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...otherUser,
    });
    running.add(child);
    child.once('close', () => running.delete(child));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    const origin = `http://127.0.0.1:${port}`;
    await until(() => answers(`${origin}/health`), child);
    if (!(await answers(`${origin}/health`))) {
      throw new Error(`no answer; the process said:\n${output}`);
    }
    return { child, origin, output: () => output };
  }

  it('leaves compiled code, samples and production dependencies, and nothing else', () => {
    const entries = execFileSync('ls', ['-A', appDir], { encoding: 'utf8' }).trim().split('\n');
    expect(entries.sort()).toEqual([
      ...['cache', 'dist', 'node_modules', 'package.json', 'samples', 'uploads'],
    ]);
    const has = (path: string): boolean =>
      spawnSync('test', ['-e', join(appDir, path)]).status === 0;
    expect(has('node_modules/express/package.json')).toBe(true);
    expect(has('node_modules/typescript/package.json')).toBe(false);
    expect(has('samples/make-samples.ts')).toBe(false);
  });

  it('gives another user a tree to read and none to write', () => {
    const find = (...tests: string[]): string =>
      execFileSync('find', [appDir, '!', '-type', 'l', ...tests], { encoding: 'utf8' });
    expect(find('!', '-perm', '-004')).toBe('');
    expect(find('-type', 'd', '!', '-perm', '-001')).toBe('');
    const attempt = spawnSync('touch', [join(appDir, 'uploads/audio/x')], otherUser);
    expect(attempt.status).not.toBe(0);
  });

  it('starts as another user in a read-only tree, is healthy, and ends with 0 on SIGTERM', async () => {
    const command = execForm(lastOf(runtime, 'CMD'))!;
    const { child, origin } = await start(command, { JWT_SECRET: randomBytes(48).toString('hex') });

    const answer = await fetch(`${origin}/health`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ status: 'ok', env: 'production' });
    expect(healthcheck(origin)).toBe(0);

    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(healthcheck(origin)).toBe(1);
  });

  it('plays the samples by the demo entry, with a token from its log', async () => {
    const env = { LOG_FORMAT: 'text', JWT_ISSUER: 'https://a.example', JWT_REQUIRED_SCOPE: 'a' };
    const { child, origin, output } = await start(['node', 'dist/demo.js'], env);

    const jwt = /eyJ[\w-]+\.[\w-]+\.[\w-]+/;
    await until(() => jwt.test(output()), child);
    const [token] = jwt.exec(output()) ?? [];
    expect(token).toBeDefined();
    const answer = await fetch(`${origin}/api/stream/first-light`, {
      headers: { Authorization: `Bearer ${token}`, Range: 'bytes=1000-1999' },
    });
    expect(answer.status).toBe(206);
    const track = readFileSync(join(root, 'samples/first-light.mp3'));
    expect(Buffer.from(await answer.arrayBuffer()).equals(track.subarray(1000, 2000))).toBe(true);

    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
  });

  /** Exit code of the image's own HEALTHCHECK. */
  function healthcheck(origin: string): number | null {
    const [, command = ''] = lastOf(runtime, 'HEALTHCHECK').split(/\s*CMD\s+/);
    const [, ...args] = execForm(command)!;
    const env = { PORT: new URL(origin).port };
    return spawnSync(join(workDir, 'node'), args, { env, ...otherUser }).status;
  }
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') {
    throw new Error('not a port');
  }
  return address.port;
}

/** Asks again and again: the process says to nobody but its log that it listens. */
async function until(claim: () => boolean | Promise<boolean>, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (Date.now() < deadline && child.exitCode === null && !(await claim())) {
    await delay(50);
  }
}

function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}
