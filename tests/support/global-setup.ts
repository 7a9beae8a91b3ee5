import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { compileTagWorker } from './compiled-tag-worker';
import { rememberFfmpeg } from './remembering-ffmpeg';

declare global {
  var testRedis: ChildProcess | undefined;
}

/** What all suites share. */
export default async function setUp(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tuneton-tests-'));
  rememberFfmpeg(folder);
  compileTagWorker(folder);
  await startRedis(join(folder, 'redis.sock'));
}

/** One real Redis for all suites, on a socket of its own: no port to race for, nothing kept. */
async function startRedis(socket: string): Promise<void> {
  const settings = ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no'];
  const redis = spawn('redis-server', settings, { stdio: 'ignore' });
  const failure = new Promise<never>((_resolve, reject) => {
    redis.once('error', () => {
      reject(new Error('redis-server is needed for the tests: npm run setup installs it'));
    });
  });
  await Promise.race([failure, untilListening(socket)]);
  globalThis.testRedis = redis;
  process.env.TEST_REDIS_URL = socket;
}

async function untilListening(socket: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (existsSync(socket)) return;
    await wait(25);
  }
  throw new Error('redis-server did not start');
}
